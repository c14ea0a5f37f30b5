import { readdirSync } from "node:fs"
import { basename, join, relative, sep } from "node:path"
import { Application, CommentTag, Converter, ReflectionKind } from "typedoc"
import { declarations } from "../pack.mjs"
import { root } from "../set-up/environment.mjs"
import { linkNames } from "./names.mjs"

export const output = join(root, "reference")

/** The file behind each entry of the package, by the name that a consumer writes. */
const entryFiles = Object.fromEntries(
  Object.entries(declarations).map(([name, path]) => [name, join(root, "ts/entry", `${basename(path, ".d.ts")}.ts`)]),
)

/** The pages beside README.md, by the heading under which the navigation has them. */
const pages = {
  Guides: markdown("docs").filter((page) => page !== "docs/architecture.md"),
  Project: ["CHANGELOG.md", "CONTRIBUTING.md", "docs/architecture.md", "bench/README.md", "examples/README.md"],
}

/** What an export is for, by the file of ts that declares it. */
const subjects = {
  "Forward and backward": ["forward", "backward"],
  "The layer": ["batch-norm", "conventions"],
  "As in tf.nn": ["tf-nn", "sufficient-statistics"],
  "Data in parts": ["moments", "standardizer"],
  Folding: ["fold"],
  "Memory and start": [
    "allocate",
    "init",
    "threads/allocate",
    "threads/start",
    "threads/background",
    "threads/worker-source",
  ],
  Errors: ["errors"],
  "Arrays and records": ["types"],
}

/**
 * What one calls, then what one passes and gets.
 * @type {import("typedoc").ReflectionKind.KindString[]}
 */
const kinds = [
  "Document",
  "Module",
  "Class",
  "Function",
  "Interface",
  "TypeAlias",
  "Constructor",
  "Method",
  "Accessor",
  "Property",
]

/** @type {import("typedoc").ReflectionKind.KindString[]} */
const documented = [
  "Module",
  "Variable",
  "Function",
  "Class",
  "Interface",
  "Property",
  "Method",
  "Accessor",
  "TypeAlias",
]

/** @returns {Promise<number>} how many warnings and errors typedoc has printed */
export async function buildReference() {
  const app = await Application.bootstrap({
    name: "batchnorm",
    readme: join(root, "README.md"),
    entryPoints: Object.values(entryFiles),
    projectDocuments: Object.values(pages).flatMap((group) => group.map((page) => join(root, page))),
    tsconfig: join(root, "tsconfig.package.json"),
    displayBasePath: root,
    logLevel: "Warn",
    // Links to sources would be guessed from whatever remote a clone has.
    disableSources: true,
    excludeExternals: true,
    excludeInternal: true,
    excludePrivate: true,
    sortEntryPoints: false,
    sort: ["kind", "source-order"],
    kindSortOrder: kinds,
    groupOrder: ["Guides", "Modules", "Constructors", "Methods", "Accessors", "Properties", "*"],
    categoryOrder: [...Object.keys(subjects), "*"],
    categorizeByGroup: false,
    navigation: { includeCategories: true, includeGroups: true },
    headings: { readme: false },
    highlightLanguages: ["js", "ts", "python", "bash", "json"],
    customCss: join(root, "tools/docs/reference.css"),
    hideGenerator: true,
    requiredToBeDocumented: documented,
    validation: true,
  })
  app.converter.on(Converter.EVENT_CREATE_DOCUMENT, (_, document) => placeDocument(document))
  app.converter.on(Converter.EVENT_RESOLVE_BEGIN, (context) => {
    for (const module of context.project.children ?? []) {
      nameModule(module, context)
      for (const reflection of module.children ?? []) categorize(reflection, context)
    }
    linkNames(context.project)
  })
  const project = await app.convert()
  if (project) {
    app.validate(project)
    if (problems(app) === 0) await app.generateDocs(project, output)
  }
  return problems(app)
}

/** @param {Application} app */
const problems = ({ logger }) => logger.errorCount + logger.warningCount

/** @param {string} folder */
function markdown(folder) {
  const files = readdirSync(join(root, folder)).filter((file) => file.endsWith(".md"))
  return files.map((file) => `${folder}/${file}`)
}

/**
 * A page is called by its first heading, not by its file.
 * @param {import("typedoc").DocumentReflection} document
 */
function placeDocument(document) {
  const path = relative(root, document.project.files.getReflectionPath(document) ?? root)
    .split(sep)
    .join("/")
  const group = Object.entries(pages).find(([, paths]) => paths.includes(path))
  document.frontmatter.group = group?.[0]
  document.name = /^# (.+)$/m.exec(document.content[0]?.text ?? "")?.[1] ?? document.name
}

/**
 * A module is called as one imports it, not by its file.
 * @param {import("typedoc").DeclarationReflection} module
 * @param {import("typedoc").Context} context
 */
function nameModule(module, context) {
  const file = fileOf(module, context)
  module.name = Object.keys(entryFiles).find((name) => entryFiles[name] === file) ?? module.name
}

/**
 * @param {import("typedoc").DeclarationReflection} reflection
 * @param {import("typedoc").Context} context
 */
function categorize(reflection, context) {
  if (reflection.kindOf(ReflectionKind.Reference)) return
  const file = basename(fileOf(reflection, context), ".ts")
  const subject = Object.entries(subjects).find(([, files]) => files.includes(file))
  if (!subject) return
  // Of a function each signature has a comment. What has none must not be given one: that it lacks it is to be told.
  for (const { comment } of reflection.signatures ?? [reflection]) {
    comment?.blockTags.push(new CommentTag("@category", [{ kind: "text", text: subject[0] }]))
  }
}

/**
 * @param {import("typedoc").DeclarationReflection} reflection
 * @param {import("typedoc").Context} context
 */
function fileOf(reflection, context) {
  return context.getSymbolFromReflection(reflection)?.declarations?.[0]?.getSourceFile().fileName ?? ""
}
