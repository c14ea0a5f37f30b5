import { expect, test } from "vitest"
import { help, parse } from "./arguments.ts"

const names = ["node20", "node20-require", "firefox", "firefox-csp", "next-server"]

test("all environments are wanted unless some are named", () => {
  expect(parse([], names)).toEqual(names)
})

test("a name stands for all that begin with it up to a hyphen", () => {
  expect(parse(["next"], names)).toEqual(["next-server"])
  expect(parse(["node20", "firefox-csp"], names)).toEqual(["node20", "node20-require", "firefox-csp"])
})

test("an environment is left out only by its name", () => {
  expect(parse(["--without", "firefox"], names)).toEqual(["node20", "node20-require", "next-server"])
  expect(parse(["firefox", "--without=firefox-csp"], names)).toEqual(["firefox"])
})

test("a name that there is not is an error that lists those that there are", () => {
  for (const args of [["node2"], ["--without", "fire"], ["firefox", "node20-"]]) {
    expect(() => parse(args, names)).toThrow(/^no environment ".*": there are node20, node20-require, firefox/)
  }
})

test("an option that there is not is an error", () => {
  expect(() => parse(["--with", "firefox"], names)).toThrow(/--with/)
})

test("what would leave nothing is an error", () => {
  expect(() => parse(["firefox", "--without", "firefox"], names)).toThrow("no environment is left")
})

test("the help names every environment", () => {
  expect(parse(["--help"], names)).toBe("help")
  for (const name of names) expect(help(names)).toContain(name)
})
