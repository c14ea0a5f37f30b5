import { spawnSync } from "node:child_process"
import { fileURLToPath } from "node:url"

const root = fileURLToPath(new URL("../..", import.meta.url))

/** Runs an example as a person would, but not in a terminal. */
export function runExample(path: string, ...args: string[]): { code: number | null; stdout: string; stderr: string } {
  const { status, stdout, stderr, error } = spawnSync(process.execPath, [path, ...args], {
    cwd: root,
    encoding: "utf8",
  })
  if (error) throw error
  return { code: status, stdout, stderr }
}

/** Whatever moves a cursor, rings, or paints: every control character but the end of a line. */
export const controlCharacters = (text: string): string[] => text.replaceAll("\n", "").match(/\p{Cc}/gu) ?? []
