import type { Convention } from "batchnorm"
import { element, made } from "./format.ts"
import type { NormFacts, Settings } from "./messages.ts"

const rates = [0.01, 0.03, 0.1, 0.3, 0.5, 1, 3, 10]
// No choice leaves a last batch of one image, which has no variance.
const batchSizes = [8, 16, 32, 60, 128, 256]
const conventions: Readonly<Record<Convention, string>> = {
  keras: "Keras",
  torch: "PyTorch",
  onnx: "ONNX",
  "tf-fused": "TensorFlow, fused",
}
const defaults: Settings = { rate: 0.3, hiddenLayers: 5, batchSize: 60, convention: "keras", seed: 1 }

/** What shows most, each a change of the defaults. */
const presets: Readonly<Record<string, Partial<Settings>>> = {
  "as at first": {},
  "learning rate 1": { rate: 1 },
  "eight layers": { hiddenLayers: 8 },
  "batches of 8": { batchSize: 8 },
  "learning rate 0.01": { rate: 0.01 },
}

const rate = element<HTMLSelectElement>("rate")
const layers = element<HTMLInputElement>("layers")
const batch = element<HTMLSelectElement>("batch")
const convention = element<HTMLSelectElement>("convention")
const seed = element<HTMLInputElement>("seed")

/** Fills the form; `onStart` is called at each change and at Restart, unless a value cannot be: the browser says which, and why. */
export function settingsForm(onStart: () => void): void {
  rate.append(...rates.map((value) => made("option", { value: String(value) }, String(value))))
  batch.append(...batchSizes.map((value) => made("option", { value: String(value) }, String(value))))
  convention.append(...Object.entries(conventions).map(([value, name]) => made("option", { value }, name)))
  fill(defaults)
  layers.addEventListener("input", showLayers)
  for (const [name, changes] of Object.entries(presets)) {
    const button = made("button", { type: "button" }, name)
    button.addEventListener("click", () => {
      fill({ ...defaults, ...changes })
      onStart()
    })
    element("presets").append(button)
  }
  const form = element<HTMLFormElement>("settings")
  const startIfValid = () => {
    if (form.reportValidity()) onStart()
  }
  form.addEventListener("change", startIfValid)
  element("restart").addEventListener("click", startIfValid)
  form.addEventListener("submit", (event) => event.preventDefault())
}

function fill(settings: Settings): void {
  rate.value = String(settings.rate)
  layers.value = String(settings.hiddenLayers)
  batch.value = String(settings.batchSize)
  convention.value = settings.convention
  seed.value = String(settings.seed)
  showLayers()
}

function showLayers(): void {
  element("layers-value").textContent = layers.value
}

export function chosen(): Settings {
  return {
    rate: Number(rate.value),
    hiddenLayers: Number(layers.value),
    batchSize: Number(batch.value),
    convention: convention.value as Convention,
    seed: Number(seed.value),
  }
}

/** What the convention means for the layers. */
export function showNorm({ epsilon, decay, unbiased }: NormFacts): void {
  const running =
    decay === 0 ? "those of the last batch" : `${Number(decay.toFixed(4))} of the old and the rest of the new`
  element("convention-note").textContent =
    `${conventions[chosen().convention]}: ε is ${epsilon}, running statistics are ${running}, of the ${
      unbiased ? "unbiased" : "biased"
    } variance.`
}
