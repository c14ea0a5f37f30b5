import { spawnSync } from "node:child_process"
import { mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { expect, test } from "vitest"
import { blocks, blocksOf } from "./pages.ts"

// In place of the framework, whose weights are those of the js block that follows and reads the file.
const standIns = `
import json, sys

class Array:
    def __init__(self, value):
        self.value = value
    def tolist(self):
        return self.value

class Layer:
    def get_weights(self):
        return [Array(each) for each in weights]
    def state_dict(self):
        return {name: Array(value) for name, value in weights.items()}

class Model:
    bn1 = Layer()

weights = json.loads(sys.argv[1])
layer = Layer()
model = Model()
`
const hasPython = spawnSync("python3", ["--version"]).status === 0

test.skipIf(!hasPython).each(blocksOf("python"))("$title writes what the example after it reads", (block) => {
  const reader = blocks[blocks.findIndex(({ page, line }) => page === block.page && line === block.line) + 1]!
  const weights = JSON.parse(/const file = (["'`])([\s\S]*?)\1/.exec(reader.code)![2]!)
  const folder = mkdtempSync(join(tmpdir(), "batchnorm-python-"))
  try {
    const args = ["-c", standIns + block.code, JSON.stringify(weights)]
    const { status, stderr } = spawnSync("python3", args, { cwd: folder, encoding: "utf8" })
    expect(stderr).toBe("")
    expect(status).toBe(0)
    const [, name] = /readFile\("(.*?)"/.exec(reader.code)!
    expect(JSON.parse(readFileSync(join(folder, name!), "utf8"))).toEqual(weights)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
})
