import { Curves } from "./curves.ts"
import { element, made, nameOf, percent, round, significant } from "./format.ts"
import { type Both, type EpochOfOne, type NetworkName, networks } from "./messages.ts"

/** Both networks in each epoch, from 0 on. */
export type History = readonly Both<EpochOfOne | null>[]

const loss = new Curves({
  chart: element("loss-chart"),
  key: element("loss-key"),
  isLogarithmic: true,
  format: significant,
  formatTick: round,
  range: (least, greatest) => [
    10 ** Math.floor(Math.log10(least > 0 ? least : 0.1)),
    10 ** Math.ceil(Math.log10(greatest > 0 ? greatest : 1)),
  ],
})

const accuracy = new Curves({
  chart: element("accuracy-chart"),
  key: element("accuracy-key"),
  isLogarithmic: false,
  format: (value) => percent(value / 100),
  formatTick: (value) => `${round(value)}\u00a0%`,
  range: (least) => [Math.max(0, Math.floor((least ?? 0) / 10 - 0.2) * 10), 100],
})

/** The curves, what they say in words, and their numbers. */
export function showLearning(history: History): void {
  const trained = history.slice(1)
  const each = (name: NetworkName, value: (epoch: EpochOfOne) => number) =>
    trained.flatMap((epoch) => (epoch[name] ? [value(epoch[name])] : []))
  loss.show({ with: each("with", lossOf), without: each("without", lossOf) })
  accuracy.show({ with: each("with", percentOf), without: each("without", percentOf) })
  element("loss-summary").textContent = summary("Training loss", trained, (epoch) => significant(epoch.loss))
  element("accuracy-summary").textContent = summary("Test accuracy", trained, (epoch) => percent(epoch.accuracy))
  showTable(trained)
}

/** The epoch in which a network's loss was no finite number, if it was. */
export function divergedIn(history: History, name: NetworkName): number | undefined {
  const epoch = history.findIndex((both, i) => i > 0 && both[name] && !Number.isFinite(both[name].loss))
  return epoch === -1 ? undefined : epoch
}

/** How both ended, or stand, in a sentence each. */
export function outcome(history: History): string {
  const last = history.length - 1
  if (last < 1) return ""
  const sentences = networks.map((name) => {
    const lost = divergedIn(history, name)
    if (lost !== undefined) {
      return `The network ${nameOf[name]} diverged in epoch ${lost}: its steps were too large, its weights outgrew all numbers, and it answers nothing.`
    }
    const accuracy = percent(history[last]?.[name]?.accuracy ?? Number.NaN)
    return `The network ${nameOf[name]} tells ${accuracy} of the test images right after epoch ${last}.`
  })
  return sentences.join(" ")
}

const lossOf = ({ loss }: EpochOfOne): number => loss
/** What a network of NaN answers is no accuracy. */
const percentOf = ({ loss, accuracy }: EpochOfOne): number => (Number.isFinite(loss) ? 100 * accuracy : Number.NaN)

function summary(title: string, trained: History, text: (epoch: EpochOfOne) => string): string {
  if (trained.length === 0) return `${title}: no epoch yet.`
  const parts = networks.map((name) => {
    const states = trained.flatMap((epoch) => (epoch[name] ? [epoch[name]] : []))
    const [first, last] = [states[0], states.at(-1)]
    if (!first || !last) return `${nameOf[name]}: none`
    return Number.isFinite(last.loss)
      ? `${nameOf[name]} from ${text(first)} after epoch 1 to ${text(last)} after epoch ${states.length}`
      : `${nameOf[name]} diverged in epoch ${states.length}`
  })
  return `${title}: ${parts.join("; ")}.`
}

function showTable(trained: History): void {
  const body = element("numbers").querySelector("tbody")!
  const cell = (state: EpochOfOne | null, text: (state: EpochOfOne) => string) =>
    made("td", {}, !state ? "" : Number.isFinite(state.loss) ? text(state) : "diverged")
  body.replaceChildren(
    ...trained.map((epoch, i) =>
      made(
        "tr",
        {},
        made("th", { scope: "row" }, String(i + 1)),
        ...networks.map((name) => cell(epoch[name], (state) => significant(state.loss))),
        ...networks.map((name) => cell(epoch[name], (state) => percent(state.accuracy))),
      ),
    ),
  )
}
