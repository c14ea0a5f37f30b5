// The packed package, installed and run in each environment: npm run test:environments
import { help, parse } from "./arguments.ts"
import { environments } from "./environments.ts"
import { runEnvironments } from "./run.ts"

const names = environments.map(({ name }) => name)
try {
  const wanted = parse(process.argv.slice(2), names)
  if (wanted === "help") console.log(help(names))
  else {
    const { passed, failed } = await runEnvironments(wanted)
    console.log(`${passed} passed, ${failed} failed`)
    process.exitCode = failed > 0 ? 1 : 0
  }
} catch (error) {
  if (!(error instanceof RangeError || (error as { code?: string }).code?.startsWith("ERR_PARSE_ARGS"))) throw error
  // Of what parseArgs says, the first sentence names the option.
  console.error(`test:environments: ${(error as Error).message.split(". ")[0]}`)
  process.exitCode = 2
}
