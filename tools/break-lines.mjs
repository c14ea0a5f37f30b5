import { parseAst } from "rolldown/parseAst"

/**
 * Minified code with each statement and each member of a class on a line of its own: where an error is caught by nobody,
 * engines print the whole line that threw it, which would be the whole file.
 * @param {string} code
 */
export function breakLines(code) {
  const starts = parseAst(code).body.flatMap((statement) => [statement.start, ...members(statement)])
  return starts
    .toSorted((a, b) => b - a)
    .reduce((text, start) => (start > 0 ? `${text.slice(0, start)}\n${text.slice(start)}` : text), code)
}

/**
 * @param {any} statement
 * @returns {number[]} where the members of its classes begin
 */
function members(statement) {
  const values =
    statement.type === "VariableDeclaration"
      ? statement.declarations.map((/** @type {any} */ each) => each.init)
      : [statement]
  return values.flatMap((/** @type {any} */ value) =>
    /^Class/.test(value?.type) ? value.body.body.map((/** @type {any} */ member) => member.start) : [],
  )
}
