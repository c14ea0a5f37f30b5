"use client"

import { useEffect } from "react"
import { attempt } from "../attempt.js"

export function Client({ server }) {
  useEffect(() => {
    globalThis.answer = { server, client: attempt() }
  }, [server])
}
