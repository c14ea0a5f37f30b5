import { attempt } from "./attempt.ts"

console.log(JSON.stringify(attempt()))
