import { interrupt, interrupted } from "./command.mjs"

const live = Boolean(process.stdout.isTTY) && !process.env.CI
const frames = ["⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"]
const clearLine = "\r\x1b[2K"

let current = "it looked for what is to be done"

for (const signal of /** @type {const} */ (["SIGINT", "SIGTERM", "SIGHUP"])) {
  process.once(signal, () => {
    console.error(`${live ? clearLine : ""}set-up: interrupted while ${current}; the same command goes on from here`)
    interrupt()
  })
}

/**
 * Says what a step does, and while it lasts that it is alive: a line that changes in a terminal, a
 * line now and then elsewhere.
 * @param {string} title
 * @param {(say: (line: string) => void) => Promise<void>} run
 */
export async function report(title, run) {
  current = title
  const start = performance.now()
  const seconds = () => Math.round((performance.now() - start) / 1000)
  let last = ""
  let tick = 0
  const show = () => {
    if (interrupted()) return
    if (!live) {
      console.log(`  ${seconds()} s${last && `: ${last}`}`)
      return
    }
    const text = `${frames[tick++ % frames.length]} ${title} · ${seconds()} s${last && ` · ${last}`}`
    process.stdout.write(clearLine + text.slice(0, (process.stdout.columns || 80) - 1))
  }
  if (!live) console.log(`set-up: ${title}`)
  const timer = setInterval(show, live ? 100 : 15_000)
  try {
    await run((line) => {
      last = line
    })
    if (live) process.stdout.write(clearLine)
    if (live || seconds() >= 15) console.log(`${live ? "✓" : " "} ${live ? title : "done"} · ${seconds()} s`)
  } catch (error) {
    if (live) process.stdout.write(clearLine)
    throw error
  } finally {
    clearInterval(timer)
  }
}
