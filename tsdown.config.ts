import { defineConfig, type UserConfig } from "tsdown"

const shared: UserConfig = {
  format: "esm",
  platform: "neutral",
  target: "es2022",
  tsconfig: "tsconfig.package.json",
  fixedExtension: false,
  // The names of the error classes are part of what a user sees.
  minify: { mangle: { keepNames: { class: true, function: false } } },
  // A consumer with lib es2022 has no Disposable but by this line.
  dts: true,
  banner: { dts: '/// <reference lib="esnext.disposable" />' },
  hash: false,
  report: false,
  clean: false,
  failOnWarn: true,
}

// One configuration each: a shared chunk would be a second file to load for everybody.
export default defineConfig([
  { ...shared, entry: { index: "ts/entry/index.ts" } },
  { ...shared, entry: { "no-simd": "ts/entry/no-simd.ts" } },
  { ...shared, entry: { slim: "ts/entry/slim.ts" } },
])
