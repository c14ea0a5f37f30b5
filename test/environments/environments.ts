import type { Environment } from "./environment.ts"
import { browsers } from "./list/browsers.ts"
import { bundlers } from "./list/bundlers.ts"
import { next } from "./list/next.ts"
import { nodes } from "./list/nodes.ts"
import { runtimes } from "./list/runtimes.ts"
import { vites } from "./list/vites.ts"
import { workerd } from "./list/workerd.ts"

export const environments: readonly Environment[] = [
  ...nodes,
  ...runtimes,
  ...workerd,
  ...browsers,
  ...vites,
  ...bundlers,
  ...next,
]
