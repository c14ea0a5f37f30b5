import { setting } from "./numerics-arrays.ts"
import type { Note } from "./numerics-contract.ts"

/** The worst error / bound of each kind and quantity; VITE_CONTRACT_REPORT=1 prints them. */
export class Worst {
  readonly #worst = new Map<string, { ratio: number; what: string }>()

  /** Takes the errors of a case, and lists those out of bound. */
  notesOf(kind: string, what: string): { readonly note: Note; readonly broken: readonly string[] } {
    const broken: string[] = []
    const note: Note = (quantity, ratio, where) => {
      const whole = `${quantity}: error / bound ${ratio}, ${where}; ${what}`
      const key = `${kind} ${quantity}`
      if (ratio > (this.#worst.get(key)?.ratio ?? -1)) this.#worst.set(key, { ratio, what: whole })
      if (!(ratio <= 1)) broken.push(whole)
    }
    return { note, broken }
  }

  report(): void {
    if (!setting("VITE_CONTRACT_REPORT")) return
    console.log(
      [...this.#worst]
        .sort()
        .map(([key, { ratio, what }]) => `${key}: ${ratio.toFixed(4)} (${what})`)
        .join("\n"),
    )
  }
}
