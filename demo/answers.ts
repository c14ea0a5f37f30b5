import { element, made, nameOf, percent } from "./format.ts"
import { type Answer, type Both, networks } from "./messages.ts"

const digits = Array.from({ length: 10 }, (_, digit) => digit)

/** What both networks say, as words and as a bar per digit. */
export class Answers {
  readonly #rows = networks.map((name) => {
    const verdict = made("b")
    const bars = digits.map((digit) => made("span", { class: "bar" }, made("i"), made("small", {}, String(digit))))
    const chart = made("div", { class: "bars", role: "img" }, ...bars)
    const row = made("div", { class: name }, made("p", {}, `${nameOf[name]}: `, verdict), chart)
    return { name, row, verdict, bars, chart }
  })
  #said = ""

  constructor() {
    element("answers").append(...this.#rows.map(({ row }) => row))
    this.show(undefined)
  }

  /** undefined: nothing is drawn. */
  show(answers: Both<Answer> | undefined): void {
    for (const { name, verdict, bars, chart } of this.#rows) {
      const answer = answers?.[name]
      verdict.textContent = verdictOf(answer)
      for (const [digit, bar] of bars.entries()) {
        bar.style.setProperty("--share", String(answer?.[digit] ?? 0))
        bar.classList.toggle("best", answer ? digit === best(answer) : false)
      }
      const shares = answer?.map((share, digit) => `${digit}: ${percent(share)}`).join(", ")
      chart.setAttribute("aria-label", shares ?? "no probabilities")
    }
    // Said aloud only where it changes: while training goes on, the probabilities do all the time.
    const said = answers ? networks.map((name) => `${nameOf[name]}: ${wordOf(answers[name])}`).join("; ") : ""
    if (said === this.#said) return
    this.#said = said
    element("answers-announcement").textContent = said
  }
}

const best = (answer: readonly number[]): number => answer.indexOf(Math.max(...answer))

const wordOf = (answer: Answer): string => (answer ? String(best(answer)) : "nothing, it has diverged")

function verdictOf(answer: Answer | undefined): string {
  if (answer === undefined) return "—"
  return answer ? `${best(answer)} (${percent(Math.max(...answer))})` : wordOf(answer)
}
