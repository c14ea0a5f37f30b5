import type { BrowserName } from "./browser.ts"
import type { Command, Server } from "./processes.ts"
import type { Answer } from "./program/attempt.ts"
import type { Scratch } from "./scratch.ts"

/** The Node that runs this. */
export const here: string = process.execPath

/** What a program prints in its last line. */
export async function printed(scratch: Scratch, command: Command): Promise<Answer> {
  const output = await scratch.run(command)
  return parsed(output.trimEnd().split("\n").pop()!, () => output)
}

/** What a server sends. */
export async function fetched({ url, output }: Server, path = ""): Promise<Answer> {
  const response = await fetch(url + path)
  const body = await response.text()
  return parsed(body, () => `status ${response.status}\n${body}\n${output()}`)
}

function parsed(text: string, all: () => string): Answer {
  try {
    return JSON.parse(text)
  } catch {
    throw new Error(`no answer was printed\n${all()}`)
  }
}

/** What a page finds that a server sends. */
export async function opened<T = Answer>(scratch: Scratch, name: BrowserName, { url, output }: Server): Promise<T> {
  const browser = await scratch.browser(name)
  try {
    return await browser.answer<T>(url)
  } catch (error) {
    throw new Error(`${error}\n${output()}`)
  }
}

/** What index.html of a folder finds. */
export async function openedFiles(
  scratch: Scratch,
  name: BrowserName,
  folder: string,
  { page = "", headers = {} }: { page?: string; headers?: Readonly<Record<string, string>> } = {},
): Promise<Answer> {
  const url = await scratch.files(folder, headers)
  return (await scratch.browser(name)).answer(url + page)
}
