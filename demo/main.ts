import { Answers } from "./answers.ts"
import { inWords } from "./failure.ts"
import { element } from "./format.ts"
import { divergedIn, outcome, showLearning } from "./learning.ts"
import { type Both, type EpochOfOne, epochs, networks, type Report } from "./messages.ts"
import { Pad } from "./pad.ts"
import { Ridges } from "./ridges.ts"
import { Seen } from "./seen.ts"
import { chosen, settingsForm, showNorm } from "./settings.ts"
import { speedSection } from "./speed.ts"
import { Trainer } from "./trainer.ts"

type Phase = "training" | "paused" | "finished" | "failed"

const pauseButton = element<HTMLButtonElement>("pause")
const progress = element<HTMLProgressElement>("progress")
const failure = element("failure")
const ridges = new Ridges()
const answers = new Answers()
const seen = new Seen()
const trainer = new Trainer(hear)
const pad = new Pad(look)

let phase: Phase = "training"
let isMeasuring = false
/** Training is to go on when speed has been measured. */
let isAside = false
let run = 0
let batchesPerEpoch = 1
let history: Both<EpochOfOne | null>[] = []
/** What was drawn or shown last. */
let pixels: Float32Array<ArrayBuffer> | undefined

function start(): void {
  run += 1
  history = []
  const settings = chosen()
  failure.hidden = true
  element("outcome").textContent = ""
  progress.value = 0
  ridges.reset(settings.hiddenLayers)
  showLearning(history)
  trainer.send({ kind: "start", run, settings })
  if (isMeasuring) standAside()
  else enter("training")
  announce("Training started.")
}

function enter(next: Phase): void {
  phase = next
  trainer.expect(phase === "training")
  pauseButton.textContent = phase === "paused" ? "Resume" : "Pause"
  // Not disabled: it keeps the focus that it may have.
  pauseButton.setAttribute("aria-disabled", String(isMeasuring || phase === "finished" || phase === "failed"))
  showState()
}

function showState(): void {
  const epoch = Math.max(0, history.length - 1)
  const words = {
    training: epoch === 0 ? "Training: the first epoch" : `Training: ${epoch} of ${epochs} epochs done`,
    paused: `Paused${isMeasuring ? ", while speed is measured," : ""} after ${epoch} of ${epochs} epochs`,
    finished: `Finished: ${epoch} of ${epochs} epochs`,
    failed: "Stopped",
  }
  element("state").textContent = words[phase]
}

const announce = (text: string) => {
  element("announcement").textContent = text
}

function pause(): void {
  trainer.send({ kind: "pause" })
  enter("paused")
}

/** Pauses until speed has been measured. */
function standAside(): void {
  isAside = true
  pause()
}

function resume(): void {
  trainer.send({ kind: "resume" })
  enter("training")
}

function hear(report: Report): void {
  if ("run" in report && report.run !== run) return
  switch (report.kind) {
    case "ready":
      element("images").textContent = (report.train + report.test).toLocaleString("en")
      element("test-images").textContent = String(report.test)
      break
    case "started":
      batchesPerEpoch = report.batchesPerEpoch
      showNorm(report.norm)
      break
    case "batch":
      progress.value = report.batches / (epochs * batchesPerEpoch)
      break
    case "epoch":
      history.push(report.networks)
      hearEpoch(report.epoch)
      break
    case "finished":
      enter("finished")
      announce(`Training finished. ${outcome(history)}`)
      break
    case "answers":
      if (pixels) answers.show(report.answers)
      break
    case "test image":
      pad.empty()
      show(report.pixels as Float32Array<ArrayBuffer>, `A test image, in truth a ${report.label}`)
      break
    case "failed":
      failure.textContent = inWords(report, "Restart")
      failure.hidden = false
      isAside = false
      enter("failed")
      break
    default:
      report satisfies never
  }
}

function hearEpoch(epoch: number): void {
  showLearning(history)
  ridges.show(history)
  showState()
  element("outcome").textContent = outcome(history)
  const lost = networks.filter((name) => divergedIn(history, name) === epoch)
  if (lost.length > 0) announce(outcome(history))
  else if (epoch > 0 && epoch % 5 === 0) announce(`Epoch ${epoch} of ${epochs}. ${outcome(history)}`)
  classify()
}

function look(drawn: Float32Array<ArrayBuffer> | undefined): void {
  show(drawn, drawn ? "Your drawing as 8×8 pixels" : "Nothing yet")
}

function show(image: Float32Array<ArrayBuffer> | undefined, label: string): void {
  pixels = image
  seen.show(image, label)
  element("seen-label").textContent = label
  if (image) classify()
  else answers.show(undefined)
}

function classify(): void {
  if (pixels && phase !== "failed") trainer.send({ kind: "classify", pixels })
}

pauseButton.addEventListener("click", () => {
  if (isMeasuring) return
  if (phase === "training") pause()
  else if (phase === "paused") resume()
})
element("clear").addEventListener("click", () => pad.clear())
element("test-image").addEventListener("click", () => {
  if (phase !== "failed") trainer.send({ kind: "test image", index: Math.floor(1e6 * Math.random()) })
})
settingsForm(start)
speedSection({
  before() {
    isMeasuring = true
    if (phase === "training") standAside()
    else enter(phase)
  },
  after() {
    isMeasuring = false
    if (isAside) resume()
    else enter(phase)
    isAside = false
  },
})
start()
