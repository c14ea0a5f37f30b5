import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { afterAll, describe, expect, test } from "vitest"
import { root } from "../../tools/set-up/environment.mjs"
import { walls } from "../../tools/walls.mjs"

const folder = mkdtempSync(join(tmpdir(), "batchnorm-walls-"))
let planted = 0

afterAll(() => rmSync(folder, { recursive: true, force: true }))

const library = { "crates/batchnorm/src/lib.rs": "#![no_std]\n#![forbid(unsafe_code)]\n" }

/** What the wall of this number finds in a project of these files: "path:line". */
function found(number: number, files: Record<string, string>): string[] {
  const project = join(folder, String(planted++))
  for (const file of ["package.json", "tsconfig.json", "tsconfig.package.json"]) {
    cpSync(join(root, file), join(project, file))
  }
  for (const [path, text] of Object.entries({ ...library, ...files })) {
    mkdirSync(dirname(join(project, path)), { recursive: true })
    writeFileSync(join(project, path), text)
  }
  return walls[number - 1]!.find(project).map(({ path, line }) => `${path}:${line}`)
}

describe("wall 1, unsafe", () => {
  test("is found outside of batchnorm-wasm", () => {
    const path = "crates/batchnorm/src/view.rs"
    expect(found(1, { [path]: "fn f() {\n    unsafe { g() }\n}\n" })).toEqual([`${path}:2`])
  })

  test("needs a proof above its statement", () => {
    const path = "crates/batchnorm-wasm/src/lib.rs"
    expect(found(1, { [path]: "fn f() {\n    unsafe { g() }\n}\n" })).toEqual([`${path}:2`])
    expect(found(1, { [path]: "fn f() {\n    // because\n    unsafe { g() }\n}\n" })).toEqual([`${path}:3`])
    expect(found(1, { [path]: "// SAFETY: of another.\nfn e() {}\nunsafe impl Sync for A {}\n" })).toEqual([
      `${path}:3`,
    ])
  })

  test("may stand where its proof does", () => {
    const path = "crates/batchnorm-wasm/src/lib.rs"
    const proof = "    // SAFETY: g has no conditions,\n    // none at all.\n"
    expect(found(1, { [path]: `fn f() {\n${proof}    let x =\n        unsafe { g() };\n}\n` })).toEqual([])
    expect(found(1, { [path]: '// unsafe { }\nconst A: &str = "unsafe {";\n' })).toEqual([])
  })

  test("must be forbidden in the arithmetic", () => {
    expect(found(1, { "crates/batchnorm/src/lib.rs": "#![no_std]\n// #![forbid(unsafe_code)]\n" })).toEqual([
      "crates/batchnorm/src/lib.rs:1",
    ])
  })
})

describe("wall 2, instruction sets", () => {
  test.each([
    "use core::arch::x86_64::*;",
    '#[cfg(target_feature = "simd128")]',
    "let x = f32x4_add(a, b);",
    "let x = _mm_add_ps(a, b);",
    "let x: v128 = y;",
    "use wide::neon;",
    "let x = a.mul_add(b, c);",
    "let x = a.mul_neg_add(b, c);",
    "let x = a.reduce_add();",
    "let x = a.fast_max(b);",
    "let x = a.recip_sqrt();",
    "let x = f32x4::max(a, b);",
  ])("finds %s", (line) => {
    const path = "crates/batchnorm/src/moments.rs"
    expect(found(2, { [path]: `//! Not mul_add.\n${line}\n` })).toEqual([`${path}:2`])
  })

  test("lets a panic end and the memory grow", () => {
    const path = "crates/batchnorm-wasm/src/lib.rs"
    expect(found(2, { [path]: "core::arch::wasm32::unreachable()\n" })).toEqual([])
    expect(found(2, { [path]: "core::arch::wasm32::f32x4_add(a, b)\n" })).toEqual([`${path}:1`, `${path}:1`])
  })

  test("lets numbers of other kinds be compared", () => {
    expect(found(2, { "crates/batchnorm/src/view.rs": "let n = rows.min(64).max(1);\n" })).toEqual([])
  })
})

describe("wall 3, the buffer of the memory", () => {
  const declaration =
    "declare const memory: WebAssembly.Memory\nconst held: { m: WebAssembly.Memory } = { m: memory }\n"

  test.each(["memory.buffer", "held.m.buffer", 'memory["buffer"]', "(({ buffer: memory }).buffer.buffer)"])(
    "finds %s",
    (expression) => {
      const text = `${declaration}export const taken: unknown = ${expression}\n`
      expect(found(3, { "ts/wasm.ts": text })).toEqual(["ts/wasm.ts:3"])
    },
  )

  test("finds it taken apart", () => {
    const text = `${declaration}const { buffer } = memory\nexport const taken: unknown = buffer\n`
    expect(found(3, { "ts/wasm.ts": text })).toEqual(["ts/wasm.ts:3"])
  })

  test("leaves ts/memory.ts and other buffers alone", () => {
    expect(found(3, { "ts/memory.ts": `${declaration}export const taken: unknown = memory.buffer\n` })).toEqual([])
    expect(found(3, { "ts/options/arrays.ts": "export const of = (a: Float32Array): unknown => a.buffer\n" })).toEqual(
      [],
    )
  })
})

describe("wall 4, judging input", () => {
  test.each(["ShapeError", "ArgumentError", "errors.ShapeError"])("finds a new %s", (name) => {
    const text = `export function f(): never {\n  throw new ${name}("x")\n}\n`
    expect(found(4, { "ts/forward.ts": text })).toEqual(["ts/forward.ts:2"])
    expect(found(4, { "ts/options/arrays.ts": text })).toEqual([])
  })

  test("lets other errors be thrown anywhere", () => {
    expect(found(4, { "ts/memory.ts": 'throw new OutOfMemoryError("x")\n' })).toEqual([])
  })
})

describe("wall 5, imports", () => {
  test.each([
    'import { forward } from "../../ts/forward.ts"',
    'import type { Saved } from "../../dist/index.js"',
    'const kernel = await import("../../ts/memory.ts")',
    'const bytes = readFileSync(new URL("../../dist/kernel.wasm", import.meta.url))',
    'import { forward } from "batchnorm/forward"',
  ])("finds %s", (line) => {
    for (const path of ["test/unit/a.test.ts", "examples/digits/main.ts"]) {
      expect(found(5, { [path]: `// reaches in\n${line}\n` })).toEqual([`${path}:2`])
    }
  })

  test("lets public entries be imported, and test/memory reach in", () => {
    const text = 'import "batchnorm"\nimport "batchnorm/slim"\nimport url from "batchnorm/kernel.wasm?url"\n'
    expect(found(5, { "test/unit/a.test.ts": text })).toEqual([])
    expect(found(5, { "test/memory/a.test.ts": 'import { live } from "../../ts/memory.ts"\n' })).toEqual([])
  })

  test("finds an oracle that imports what it judges", () => {
    expect(found(5, { "test/reference.ts": 'import { moments } from "batchnorm"\n' })).toEqual(["test/reference.ts:1"])
  })

  test("finds a file that depends upwards or sideways", () => {
    const files = {
      "ts/memory.ts": 'import { forward } from "./forward.ts"\nexport const a = forward\n',
      "ts/conventions.ts": 'import type { A } from "./options/arrays.ts"\nexport type B = A\n',
      "ts/forward.ts": 'import { a } from "./memory.ts"\nexport const forward = a\n',
      "ts/entry/index.ts": 'import { kernelText } from "../generated/kernel-text.ts"\nexport * from "../index.ts"\n',
    }
    expect(found(5, files)).toEqual(["ts/conventions.ts:1", "ts/memory.ts:1"])
  })

  test("finds a dependency, and a file without a place", () => {
    const files = { "ts/index.ts": 'import "left-pad"\n', "ts/utils.ts": "" }
    expect(found(5, files)).toEqual(["ts/index.ts:1", "ts/utils.ts:1"])
  })
})
