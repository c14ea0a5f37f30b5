import type { Failure } from "./messages.ts"

/** What a visitor is told of a failure in a worker; the button of this name makes a new one. */
export function inWords({ code, message }: Pick<Failure, "code" | "message">, button: string): string {
  // Browsers end some of their messages with a full stop and some without.
  const said = message.replace(/\.$/, "")
  if (code === "unsupported") {
    return `This browser cannot run the kernels: ${said}. Browsers have had WebAssembly with SIMD since 2023; in some modes of high security it is switched off.`
  }
  if (code === "out-of-memory") return `There is not enough memory: ${said}.`
  const again = `${button} tries again.`
  if (code === "no-digits") return `${said}. ${again}`
  return `The worker stopped: ${said || "its script could not be loaded"}. ${again}`
}

/** What a worker's error event says: nothing where its script did not load. */
export const messageOf = (event: Event): string => (event instanceof ErrorEvent ? event.message : "")
