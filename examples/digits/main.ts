// Batch normalization on real data: a network learns to read handwritten digits with it and without it, from the same
// weights and on the same batches, at several learning rates.

import { readDigits } from "./data.ts"
import { split, standardizer } from "./images.ts"
import { help, OptionError, type Options, parseOptions } from "./options.ts"
import { plainLines } from "./plain-lines.ts"
import { closingLines } from "./summary.ts"
import { leastColumns, terminal } from "./terminal.ts"
import { batchSize, type Run, sizes, train } from "./train.ts"

function main(options: Options): void {
  const { epochs, rates, seed } = options
  const images = split(readDigits())
  const standardize = standardizer(images.train.x)
  const standardized = {
    train: { ...images.train, x: standardize(images.train.x) },
    test: { ...images.test, x: standardize(images.test.x) },
  }
  const { stdout } = process
  const live = stdout.isTTY && !process.env.CI && process.env.TERM !== "dumb" && stdout.columns >= leastColumns
  const reporter = live ? terminal(stdout, epochs) : plainLines

  console.log(
    `Handwritten digits: ${images.train.labels.length} images to train with, ${images.test.labels.length} to test with.`,
  )
  console.log(
    `Network ${sizes.join(" → ")}, relu, batches of ${batchSize}, ${epochs} ${epochs === 1 ? "epoch" : "epochs"}, seed ${seed}.\n`,
  )
  const runs: Run[] = []
  for (const rate of rates) {
    for (const batchNorm of [true, false]) {
      reporter.start({ rate, batchNorm })
      const run = train({ rate, batchNorm }, standardized, { epochs, seed }, reporter.epoch)
      reporter.end(run)
      runs.push(run)
    }
  }
  reporter.close(runs)
  console.log(closingLines(runs).join("\n"))
}

try {
  const options = parseOptions(process.argv.slice(2))
  if (options === "help") console.log(help)
  else main(options)
} catch (error) {
  if (!(error instanceof OptionError)) throw error
  console.error(`digits: ${error.message}`)
  process.exitCode = 2
}
