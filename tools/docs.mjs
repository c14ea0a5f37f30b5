// Builds the API reference with the guides, into reference/: npm run docs
import { pathToFileURL } from "node:url"
import { brokenLinks } from "./docs/links.mjs"
import { buildReference, output } from "./docs/reference.mjs"
import { sum, verdict } from "./tally.mjs"

/** @returns {Promise<import("./tally.mjs").Tally>} */
export async function checkDocs() {
  const warnings = await buildReference()
  const built = verdict("typedoc warns of nothing: every export has its comment, every link its target", warnings === 0)
  if (warnings > 0) return built
  const broken = brokenLinks(output)
  for (const link of broken) console.log(link)
  return sum([built, verdict("no link between pages is broken", broken.length === 0)])
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  const { failed } = await checkDocs()
  if (failed === 0) console.log("reference/index.html")
  process.exitCode = failed > 0 ? 1 : 0
}
