import { report } from "./report.js"

export default { fetch: () => Response.json(report()) }
