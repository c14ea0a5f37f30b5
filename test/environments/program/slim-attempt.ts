// Bundled with `batchnorm/slim` in place of `batchnorm` (sources.ts).
export { attempt } from "./attempt.ts"
