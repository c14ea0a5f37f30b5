import { ReflectionKind } from "typedoc"

/** @typedef {import("typedoc").CommentDisplayPart} Part */

/**
 * Makes links of the names in prose that are exported functions and classes: `forward` in backticks, and ShapeError as
 * it stands. In comments and guides they need no markup that would be read in editors and on other sites.
 * @param {import("typedoc").ProjectReflection} project
 */
export function linkNames(project) {
  /** @type {Map<string, import("typedoc").Reflection>} */
  const targets = new Map()
  for (const reflection of project.getReflectionsByKind(ReflectionKind.FunctionOrMethod | ReflectionKind.Class)) {
    if (reflection.parent?.kindOf(ReflectionKind.Module)) targets.set(reflection.name, reflection)
  }
  for (const reflection of Object.values(project.reflections)) {
    const { comment } = reflection
    if (comment) {
      comment.summary = comment.summary.flatMap((part) => linked(part, targets))
      for (const tag of comment.blockTags) tag.content = tag.content.flatMap((part) => linked(part, targets))
    }
    if (reflection.isDocument()) reflection.content = reflection.content.flatMap((part) => linked(part, targets))
  }
  if (project.readme) project.readme = project.readme.flatMap((part) => linked(part, targets))
}

/**
 * @param {Part} part
 * @param {Map<string, import("typedoc").Reflection>} targets
 * @returns {Part[]}
 */
function linked(part, targets) {
  if (part.kind === "code") {
    const name = /^`(\w+)`$/.exec(part.text)?.[1] ?? ""
    const target = targets.get(name)
    return target ? [{ kind: "inline-tag", tag: "@linkcode", text: name, target }] : [part]
  }
  if (part.kind !== "text") return [part]
  return part.text.split(/\b([A-Z]\w+Error)\b/).map((text) => {
    const target = targets.get(text)
    return target ? { kind: "inline-tag", tag: "@link", text, target } : { kind: "text", text }
  })
}
