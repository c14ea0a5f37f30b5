import { readFileSync } from "node:fs"
import { join, relative, sep } from "node:path"
import ts from "typescript"
import { sourceFiles } from "./source-files.mjs"

/** @typedef {import("../walls.mjs").Violation} Violation */

/**
 * @param {string} root
 * @returns {Violation[]}
 */
export function memoryBuffer(root) {
  const paths = sourceFiles(root, "ts", /\.ts$/)
  const config = ts.readConfigFile(join(root, "tsconfig.package.json"), (path) => readFileSync(path, "utf8"))
  const { options } = ts.parseJsonConfigFileContent(config.config, ts.sys, root)
  const program = ts.createProgram(
    paths.map((path) => join(root, path)),
    options,
  )
  const checker = program.getTypeChecker()
  /** @param {ts.Node} node */
  const isMemory = (node) => {
    const type = checker.getTypeAtLocation(node)
    if (type.flags & ts.TypeFlags.Any) return /memory$/i.test(node.getText())
    return (type.isUnion() ? type.types : [type]).some((each) => each.symbol?.name === "Memory")
  }
  /** @param {ts.Node} node */
  const takesBuffer = (node) => {
    if (ts.isPropertyAccessExpression(node)) return node.name.text === "buffer" && isMemory(node.expression)
    if (ts.isElementAccessExpression(node)) {
      const name = node.argumentExpression
      return ts.isStringLiteralLike(name) && name.text === "buffer" && isMemory(node.expression)
    }
    if (ts.isBindingElement(node) && ts.isVariableDeclaration(node.parent.parent)) {
      const from = node.parent.parent.initializer
      return (node.propertyName ?? node.name).getText() === "buffer" && from !== undefined && isMemory(from)
    }
    return false
  }
  return paths
    .filter((path) => path !== "ts/memory.ts")
    .flatMap((path) => {
      const file = program.getSourceFile(join(root, path))
      return file ? nodes(root, file, takesBuffer, "takes the buffer of the memory outside of ts/memory.ts") : []
    })
}

/**
 * @param {string} root
 * @returns {Violation[]}
 */
export function judgedInOptions(root) {
  /** @param {ts.Node} node */
  const judges = (node) =>
    ts.isNewExpression(node) && /(^|\.)(ShapeError|ArgumentError)$/.test(node.expression.getText())
  return sourceFiles(root, "ts", /\.ts$/)
    .filter((path) => !path.startsWith("ts/options/"))
    .flatMap((path) => {
      const text = readFileSync(join(root, path), "utf8")
      const file = ts.createSourceFile(join(root, path), text, ts.ScriptTarget.ES2022, true)
      return nodes(root, file, judges, "judges user input outside of ts/options")
    })
}

/**
 * @param {string} root
 * @param {ts.SourceFile} file
 * @param {(node: ts.Node) => boolean} test
 * @param {string} what
 * @returns {Violation[]}
 */
function nodes(root, file, test, what) {
  /** @type {Violation[]} */
  const found = []
  const path = relative(root, file.fileName).split(sep).join("/")
  /** @param {ts.Node} node */
  const visit = (node) => {
    if (test(node)) {
      const { line } = file.getLineAndCharacterOfPosition(node.getStart())
      found.push({ path, line: line + 1, what: `${node.getText().split("\n")[0]} ${what}` })
    }
    ts.forEachChild(node, visit)
  }
  visit(file)
  return found
}
