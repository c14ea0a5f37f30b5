import { type Report, report } from "./report.ts"

/** What went wrong, in the words of who threw it. */
export interface Failure {
  readonly error: string
  readonly code?: unknown
}

export type Answer = Report | Failure

/** The report, or why there is none. */
export function attempt(): Answer {
  try {
    return report()
  } catch (error) {
    const { name, message, stack, code } = error as Error & { code?: unknown }
    return { error: `${name}: ${message}\n${stack ?? ""}`, code }
  }
}
