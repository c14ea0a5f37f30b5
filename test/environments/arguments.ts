import { parseArgs } from "node:util"

export const help = (
  names: readonly string[],
) => `Installs the packed package in one environment after the other, and checks what a step of training computes there.

npm run test:environments -- [NAME ...] [options]

  NAME            an environment, or the beginning of several up to a hyphen; all of them unless given:
${lines(names)}
  --without NAME  all but this one, or these; may be given more than once
  --help          this text`

function lines(names: readonly string[]): string {
  const text = names
    .join(", ")
    .replace(/.{60,90}?, /g, "$&\n")
    .split("\n")
  return text.map((line) => `                  ${line.trimEnd()}`).join("\n")
}

/**
 * The names that are wanted.
 *
 * @throws RangeError for a name that there is not; what parseArgs throws for an option that there is not
 */
export function parse(args: readonly string[], names: readonly string[]): readonly string[] | "help" {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: { without: { type: "string", multiple: true, default: [] }, help: { type: "boolean", default: false } },
  })
  if (values.help) return "help"
  const wanted = positionals.length > 0 ? positionals.flatMap((given) => among(given, names)) : names
  const unwanted = values.without.flatMap((given) => among(given, names))
  const left = names.filter((name) => wanted.includes(name) && !unwanted.includes(name))
  if (left.length === 0) throw new RangeError("no environment is left")
  return left
}

function among(given: string, names: readonly string[]): readonly string[] {
  const found = names.filter((name) => name === given || name.startsWith(`${given}-`))
  if (found.length === 0) throw new RangeError(`no environment "${given}": there are ${names.join(", ")}`)
  return found
}
