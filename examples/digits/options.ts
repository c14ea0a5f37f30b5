import { parseArgs } from "node:util"

export interface Options {
  readonly epochs: number
  readonly rates: readonly number[]
  readonly seed: number
}

const defaults: Options = { epochs: 20, rates: [0.03, 0.1, 0.3, 1, 3], seed: 1 }

export const help = `Trains one network on handwritten digits, with batch normalization and without, at several learning rates.

Usage: node examples/digits/main.ts [options]

  --epochs <n>      how often each network sees every training image (default ${defaults.epochs})
  --rates <a,b,…>   learning rates of SGD (default ${defaults.rates.join(",")})
  --seed <n>        of the initial weights and of the order of the images (default ${defaults.seed})
  -h, --help        show this`

/** A command line that cannot be run. The message names the option and what was wrong with it. */
export class OptionError extends Error {}

const known = {
  epochs: { type: "string" },
  rates: { type: "string" },
  seed: { type: "string" },
  help: { type: "boolean", short: "h" },
} as const

/** `"help"` where help was asked for. */
export function parseOptions(args: readonly string[]): Options | "help" {
  // Not strict: parseArgs' own messages do not name the bad value, and refuse to take "-1" for one.
  const { tokens } = parseArgs({ args: [...args], options: known, strict: false, tokens: true })
  let options = defaults
  let helpAsked = false
  for (const token of tokens) {
    if (token.kind === "positional") throw new OptionError(`unexpected argument ${quote(token.value)}`)
    if (token.kind === "option-terminator") continue
    const { name, rawName, value } = token
    if (!Object.hasOwn(known, name))
      throw new OptionError(`unknown option ${rawName}${value === undefined ? "" : ` with the value ${quote(value)}`}`)
    if (name === "help") {
      if (value !== undefined) throw new OptionError(`--help takes no value, but was given ${quote(value)}`)
      helpAsked = true
    } else {
      if (value === undefined) throw new OptionError(`${rawName} needs a value`)
      options = { ...options, [name]: parsers[name as keyof Options](value) }
    }
  }
  return helpAsked ? "help" : options
}

const parsers: { [K in keyof Options]: (value: string) => Options[K] } = {
  epochs: (value) => {
    const epochs = parseNumber(value)
    if (!Number.isSafeInteger(epochs) || epochs < 1)
      throw new OptionError(`--epochs takes a positive integer, not ${quote(value)}`)
    return epochs
  },
  rates: (value) =>
    value.split(",").map((part) => {
      const rate = parseNumber(part)
      if (Number.isFinite(rate) && rate > 0) return rate
      const where = part === value ? "" : ` (in ${quote(value)})`
      throw new OptionError(`--rates takes positive numbers separated by commas, not ${quote(part)}${where}`)
    }),
  seed: (value) => {
    const seed = parseNumber(value)
    if (!Number.isSafeInteger(seed)) throw new OptionError(`--seed takes an integer, not ${quote(value)}`)
    return seed
  },
}

/** NaN for what is no number, the empty string among it, which Number would take for 0. */
function parseNumber(value: string): number {
  return value.trim() === "" ? Number.NaN : Number(value)
}

/** In quotes and on one line, whatever was typed. */
const quote = (value: string): string => JSON.stringify(value)
