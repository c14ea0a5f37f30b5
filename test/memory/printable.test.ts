import { expect, test, vi } from "vitest"
import { encodePrintable } from "../../tools/printable.mjs"
import { decodePrintable } from "../../ts/printable.ts"

const all = Uint8Array.from({ length: 256 }, (_, byte) => byte)

test.each([
  ["no byte", Uint8Array.of()],
  ["every byte, up", all],
  ["every byte, down", all.toReversed()],
  ["every pair of bytes", Uint8Array.from({ length: 2 * 65_536 }, (_, index) => (index & 1 ? index >> 1 : index >> 9))],
])("%s is the same again", (_, bytes) => {
  expect(decodePrintable(encodePrintable(bytes))).toEqual(bytes)
})

test("an engine without TextEncoder has the same", () => {
  vi.stubGlobal("TextEncoder", undefined)
  try {
    expect(decodePrintable(encodePrintable(all))).toEqual(all)
  } finally {
    vi.unstubAllGlobals()
  }
})

test.each([1, 65_535, 65_536, 65_537])("a text of %i characters fits", (length) => {
  expect(decodePrintable("?".repeat(length))).toEqual(new Uint8Array(length).fill(0xfc))
})

test("nothing in it has to be escaped, in whichever quotes, script or page", () => {
  expect(encodePrintable(all)).toMatch(/^[/1-3?-[\]-~]+$/)
  expect(encodePrintable(all)).not.toMatch(/["'\\$<&]/)
})

test("a byte is one character or two", () => {
  const lengths = Array.from(all, (byte) => encodePrintable(Uint8Array.of(byte)).length)
  expect(lengths.filter((length) => length === 1)).toHaveLength(64)
  expect(lengths.filter((length) => length === 2)).toHaveLength(192)
})
