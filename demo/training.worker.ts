import { BatchNormError } from "batchnorm"
import { type Digits, DigitsError, loadDigits } from "./digits.ts"
import { type Command, epochs, type Report } from "./messages.ts"
import { Pair } from "./pair.ts"

/** How long to train before messages are looked at, in milliseconds. */
const slice = 30

let pair: Pair | undefined
let run = 0
let batches = 0
let timer: ReturnType<typeof setTimeout> | undefined

const report = (message: Report) => self.postMessage(message)

function fail(error: unknown): void {
  clearTimeout(timer)
  const code = error instanceof BatchNormError || error instanceof DigitsError ? error.code : undefined
  report({ kind: "failed", code, message: error instanceof Error ? error.message : String(error) })
}

function train(): void {
  if (!pair) return
  const total = epochs * pair.batchesPerEpoch
  const start = performance.now()
  do {
    const networks = pair.step()
    batches += 1
    if (networks) report({ kind: "epoch", run, epoch: batches / pair.batchesPerEpoch, networks })
  } while (batches < total && !pair.isLost && performance.now() - start < slice)
  report({ kind: "batch", run, batches })
  if (batches < total && !pair.isLost) resume()
  else report({ kind: "finished", run })
}

function resume(): void {
  clearTimeout(timer)
  timer = setTimeout(guarded(train))
}

function obey(command: Command, digits: Digits): void {
  switch (command.kind) {
    case "start":
      run = command.run
      batches = 0
      pair = new Pair(command.settings, digits)
      report({ kind: "started", run, batchesPerEpoch: pair.batchesPerEpoch, norm: pair.norm })
      report({ kind: "epoch", run, epoch: 0, networks: pair.untrained() })
      resume()
      break
    case "pause":
      clearTimeout(timer)
      break
    case "resume":
      resume()
      break
    case "classify": {
      const x = { data: new Float32Array(command.pixels), shape: [1, command.pixels.length] } as const
      if (pair) report({ kind: "answers", answers: pair.classify(digits.standardize(x)) })
      break
    }
    case "test image": {
      const { x, labels } = digits.raw
      const [images, columns] = x.shape
      const i = command.index % images
      const pixels = x.data.slice(i * columns, (i + 1) * columns)
      report({ kind: "test image", pixels, label: labels[i]! })
      break
    }
    default:
      command satisfies never
  }
}

function guarded(work: () => void): () => void {
  return () => {
    try {
      work()
    } catch (error) {
      fail(error)
    }
  }
}

const digits = loadDigits()
digits.then(({ train, test }) => {
  report({ kind: "ready", train: train.labels.length, test: test.labels.length })
}, fail)
self.addEventListener("message", ({ data }: MessageEvent<Command>) => {
  digits.then(
    (loaded) => guarded(() => obey(data, loaded))(),
    () => {}, // Said already.
  )
})
