import { clearLine, cursorTo } from "node:readline"

/** Shows on a terminal what was done last, in a line that the next one, or "", takes the place of. */
export function progress(text: string): void {
  if (!process.stderr.isTTY) return
  cursorTo(process.stderr, 0)
  clearLine(process.stderr, 0)
  process.stderr.write(text)
}
