import { readFileSync } from "node:fs"
import { gunzipSync } from "node:zlib"
import { type Images, parseDigits } from "./images.ts"

/** All 1,797 images. */
export function readDigits(): Images {
  const file = readFileSync(new URL("data/digits.csv.gz", import.meta.url))
  return parseDigits(gunzipSync(file).toString("ascii"))
}
