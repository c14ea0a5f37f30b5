// Bundled with `batchnorm/slim` in place of `batchnorm` (sources.ts).
export { init, initSync } from "batchnorm"
export { attempt } from "./attempt.ts"
