/** @typedef {{ passed: number, failed: number }} Tally */
/** @typedef {{ title: string, run: () => Promise<Tally> }} Check */

/**
 * @param {boolean} passed
 * @returns {Tally}
 */
export const one = (passed) => (passed ? { passed: 1, failed: 0 } : { passed: 0, failed: 1 })

/**
 * Prints a claim, and counts it.
 * @param {string} claim
 * @param {boolean} holds
 */
export function verdict(claim, holds) {
  console.log(`${holds ? "✓" : "✗"} ${claim}`)
  return one(holds)
}

/**
 * @param {readonly Tally[]} tallies
 * @returns {Tally}
 */
export function sum(tallies) {
  const count = (/** @type {"passed" | "failed"} */ key) => tallies.reduce((before, each) => before + each[key], 0)
  return { passed: count("passed"), failed: count("failed") }
}

/**
 * Runs all checks, whatever those before them said. The last line is a plain count.
 * @param {readonly Check[]} checks
 * @returns {Promise<number>} the exit code
 */
export async function runAll(checks) {
  const total = { passed: 0, failed: 0 }
  /** @type {string[]} */
  const broken = []
  for (const { title, run } of checks) {
    console.log(`\n── ${title}`)
    const start = performance.now()
    const { passed, failed } = await run().catch((error) => {
      console.error(error)
      return one(false)
    })
    total.passed += passed
    total.failed += failed
    if (failed > 0) broken.push(title)
    const seconds = ((performance.now() - start) / 1000).toFixed(1)
    console.log(`${failed > 0 ? "✗" : "✓"} ${title} · ${failed > 0 ? `${failed} failed · ` : ""}${seconds} s`)
  }
  console.log("")
  for (const title of broken) console.log(`✗ ${title}`)
  console.log(`${total.passed} passed, ${total.failed} failed`)
  return total.failed > 0 ? 1 : 0
}
