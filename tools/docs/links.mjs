import { existsSync, readdirSync, readFileSync, statSync } from "node:fs"
import { dirname, join, relative } from "node:path"

/**
 * @param {string} folder of a site of plain files
 * @returns {string[]} the links between its pages that lead nowhere, be it the page or the place in it
 */
export function brokenLinks(folder) {
  const pages = readdirSync(folder, { recursive: true, encoding: "utf8" })
    .filter((path) => /\.(html|svg)$/.test(path))
    .map((path) => join(folder, path))
  const places = new Map(pages.map((page) => [page, placesOf(page)]))
  return pages.flatMap((page) =>
    linksOf(page).flatMap((link) => {
      const [path = "", place] = link.split("#").map(decodeURIComponent)
      const file = /(^|\/)$/.test(path) ? `${path}index.html` : path
      const target = path === "" ? page : join(dirname(page), file)
      const isThere = existsSync(target) && statSync(target).isFile()
      const isRight = isThere && (!place || places.get(target)?.has(place) === true)
      return isRight ? [] : [`${relative(folder, page)}: ${link}`]
    }),
  )
}

/** @param {string} page */
const placesOf = (page) => new Set([...attributes(page, "id"), ...attributes(page, "name")])

/** @param {string} page */
const linksOf = (page) =>
  [...attributes(page, "href"), ...attributes(page, "src")].filter((link) => !/^[a-z]+:/i.test(link))

/**
 * @param {string} page
 * @param {string} name
 */
function attributes(page, name) {
  const text = readFileSync(page, "utf8")
  return [...text.matchAll(new RegExp(`<[^>]*\\s${name}="([^"]*)"`, "g"))].map(([, value]) => value ?? "")
}
