import { readFileSync } from "node:fs"
import { dirname, join, relative, sep } from "node:path"
import ts from "typescript"
import { sourceFiles } from "./source-files.mjs"

/** @typedef {import("../walls.mjs").Violation} Violation */

const folders = ["test", "bench", "examples", "demo"]
const mayReachIn = /^test\/memory\//
const inside = /^(ts|dist|crates)\//

// A file imports only files of lower lines.
const order = [
  ["entry/"],
  ["index"],
  ["fold"],
  ["batch-norm", "standardizer", "sufficient-statistics", "threads/allocate"],
  ["forward", "backward", "tf-nn", "moments", "allocate", "init", "state"],
  ["merge", "batches"],
  ["threads/start"],
  ["threads/background"],
  ["reduce"],
  ["map"],
  ["threads/share"],
  ["stream"],
  ["threads/join"],
  ["threads/pool"],
  ["threads/spawn"],
  ["threads/worker-source", "threads/guard"],
  ["threads/words"],
  ["options/fold"],
  ["options/channels", "options/state", "options/weights"],
  ["view", "weighting"],
  ["options/gradients", "options/numbers", "options/axes", "options/json", "options/source"],
  ["options/apart", "options/batches", "options/bytes", "options/threads"],
  ["options/arrays", "options/settings"],
  ["options/describe"],
  ["conventions", "later"],
  ["allocations"],
  ["memory"],
  ["wasm", "printable"],
  ["broadcast", "json", "errors", "types", "generated/"],
]

/**
 * @param {string} root
 * @returns {Violation[]}
 */
export function publicEntries(root) {
  const users = folders.flatMap((folder) => sourceFiles(root, folder, /\.[cm]?[jt]s$/))
  const entries = publicNames(root)
  return [
    ...users.filter((path) => !mayReachIn.test(path)).flatMap((path) => reachesIn(root, path, entries)),
    ...users.filter((path) => path === "test/reference.ts").flatMap((path) => knowsThePackage(root, path)),
    ...sourceFiles(root, "ts", /\.ts$/).flatMap((path) => dependsDownwards(root, path)),
  ]
}

/** @param {string} root */
function publicNames(root) {
  const { name, exports } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"))
  return Object.keys(exports).map((entry) => join(name, entry).split(sep).join("/"))
}

/**
 * @param {string} root
 * @param {string} path
 * @param {string[]} entries
 * @returns {Violation[]}
 */
function reachesIn(root, path, entries) {
  return literals(root, path).flatMap(({ text, line }) => {
    if (/^\.\.?\//.test(text)) {
      const target = resolved(root, path, text)
      return inside.test(target) ? [{ path, line, what: `${text} reaches into the package` }] : []
    }
    if (!/^batchnorm\//.test(text)) return []
    const entry = text.replace(/\?.*$/, "")
    return entries.includes(entry) ? [] : [{ path, line, what: `${text} is no public entry` }]
  })
}

/**
 * @param {string} root
 * @param {string} path
 * @returns {Violation[]}
 */
function knowsThePackage(root, path) {
  return imports(root, path)
    .filter(({ text }) => /^batchnorm(\/|$)/.test(text))
    .map(({ text, line }) => ({ path, line, what: `the oracle imports ${text}, which it judges` }))
}

/**
 * @param {string} root
 * @param {string} path
 * @returns {Violation[]}
 */
function dependsDownwards(root, path) {
  const own = rank(path)
  if (own === -1) return [{ path, line: 1, what: "has no place in the order of tools/walls/imports.mjs" }]
  return imports(root, path).flatMap(({ text, line }) => {
    if (!text.startsWith(".")) return [{ path, line, what: `imports ${text}, but the package has no dependencies` }]
    const target = resolved(root, path, text)
    return rank(target) > own ? [] : [{ path, line, what: `imports ${target}, which is not below it` }]
  })
}

/** @param {string} path */
function rank(path) {
  const name = path.replace(/^ts\//, "").replace(/\.[jt]s$/, "")
  return order.findIndex((line) =>
    line.some((place) => (place.endsWith("/") ? name.startsWith(place) : name === place)),
  )
}

/**
 * @param {string} root
 * @param {string} path
 * @param {string} specifier
 */
function resolved(root, path, specifier) {
  return relative(root, join(root, dirname(path), specifier))
    .split(sep)
    .join("/")
}

/**
 * @param {string} root
 * @param {string} path
 */
function imports(root, path) {
  const source = readFileSync(join(root, path), "utf8")
  return ts.preProcessFile(source, true, true).importedFiles.map(({ fileName, pos }) => ({
    text: fileName,
    line: source.slice(0, pos).split("\n").length,
  }))
}

/**
 * Paths stand in `new URL` and in arguments too, not only in imports.
 * @param {string} root
 * @param {string} path
 */
function literals(root, path) {
  const source = readFileSync(join(root, path), "utf8")
  const file = ts.createSourceFile(path, source, ts.ScriptTarget.ES2022, true)
  /** @type {{ text: string, line: number }[]} */
  const found = []
  /** @param {ts.Node} node */
  const visit = (node) => {
    if (ts.isStringLiteralLike(node)) {
      found.push({ text: node.text, line: file.getLineAndCharacterOfPosition(node.getStart()).line + 1 })
    }
    ts.forEachChild(node, visit)
  }
  visit(file)
  return found
}
