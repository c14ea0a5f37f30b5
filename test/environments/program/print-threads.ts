import { attemptByTwo } from "./threads.ts"

console.log(JSON.stringify(await attemptByTwo()))
