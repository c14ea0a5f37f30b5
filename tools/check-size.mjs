import { readFileSync } from "node:fs"
import { join } from "node:path"
import { brotliCompressSync } from "node:zlib"
import { rolldown } from "rolldown"
import { root } from "./set-up/environment.mjs"
import { sum, verdict } from "./tally.mjs"

const core = "forward, backward, moments, infer, BatchNorm"
const whole = `import { ${core} } from "batchnorm"`
const scripts = `import { ${core} } from "batchnorm/slim"`
const part = 'import { moments } from "batchnorm/slim"'

/** Bytes after brotli, at most: of a file as it is shipped, or of what a bundler makes of an import. */
const budgets = {
  "dist/index.js": 42_100,
  "dist/index.workerd.js": 18_700,
  "dist/no-simd.js": 51_000,
  "dist/slim.js": 18_500,
  "dist/threads.js": 48_200,
  "dist/threads.workerd.js": 20_600,
  "dist/kernel.wasm": 22_700,
  [whole]: 37_400,
  'import { moments } from "batchnorm"': 29_700,
  [scripts]: 13_900,
  'import { infer } from "batchnorm/slim"': 5_700,
  [part]: 6_280,
}

/**
 * Judges the bytes that a page loads.
 * @returns {Promise<import("./tally.mjs").Tally>}
 */
export async function checkSize() {
  /** @type {Map<string, number>} */
  const sizes = new Map()
  const tallies = []
  for (const [what, most] of Object.entries(budgets)) {
    const code = what.startsWith("import ")
      ? await bundle(what.replace("import", "export"))
      : readFileSync(join(root, what))
    const size = brotliCompressSync(code).length
    sizes.set(what, size)
    tallies.push(verdict(`${what}: ${code.length} bytes, ${size} after brotli, at most ${most}`, size <= most))
  }
  const [all = 0, one = 0] = [scripts, part].map((what) => sizes.get(what))
  const share = Math.round((100 * one) / all)
  tallies.push(
    verdict(`what is not used shakes out: moments alone is ${share} % of the JavaScript, at most 60`, share <= 60),
  )
  return sum(tallies)
}

/**
 * What a consumer's bundler leaves of a module, minified.
 * @param {string} source of a module that would lie in the root of the project
 * @returns {Promise<Buffer>}
 */
export async function bundle(source) {
  const path = join(root, "consumer.js")
  const consumer = {
    name: "consumer",
    resolveId: (/** @type {string} */ id) => (id === path ? id : null),
    load: (/** @type {string} */ id) => (id === path ? source : null),
  }
  const build = await rolldown({ input: path, cwd: root, platform: "neutral", logLevel: "silent", plugins: [consumer] })
  try {
    const { output } = await build.generate({ format: "esm", minify: true })
    const [chunk] = output
    // An import that it could not resolve it would leave as it is, and weigh nothing.
    if (output.length > 1 || chunk.imports.length > 0) throw new Error(`not one file without imports: ${source}`)
    return Buffer.from(chunk.code)
  } finally {
    await build.close()
  }
}
