import { attempt } from "./attempt.js"

export default { fetch: () => Response.json(attempt()) }
