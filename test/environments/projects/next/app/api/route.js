import { attempt } from "../../attempt.js"

export const dynamic = "force-dynamic"

export const GET = () => Response.json(attempt())
