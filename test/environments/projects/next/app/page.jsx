import { attempt } from "../attempt.js"
import { Client } from "./client.jsx"

// On each request, not once while it is built.
export const dynamic = "force-dynamic"

export default function Page() {
  return <Client server={attempt()} />
}
