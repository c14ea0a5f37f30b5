// Brings a fresh clone to where its commands run: node tools/set-up.mjs [run|check|test]
//
// An old Node must get as far as the message below, so the rest is imported only afterwards.
const [major = 0, minor = 0] = process.versions.node.split(".").map(Number)
if (major < 20 || (major === 20 && minor < 19)) {
  console.error(`set-up: Node 20.19 or newer is needed, this is ${process.versions.node}: install a newer Node`)
  process.exitCode = 1
} else {
  const { setUp } = await import("./set-up/steps.mjs")
  process.exitCode = await setUp(process.argv[2] ?? "run")
}
