import { attempt } from "./attempt.ts"

postMessage(attempt())
