import { attemptByOne } from "./one-thread.js"

export default { fetch: async () => Response.json(await attemptByOne()) }
