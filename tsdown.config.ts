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

// The entry for workerd imports the file that lies beside it in dist.
const kernelBeside = {
  name: "kernel-beside",
  resolveId: (id: string) => (id.endsWith("/kernel_bg.wasm") ? { id: "./kernel.wasm", external: true } : null),
}

// One configuration each: a shared chunk would be a second file to load for everybody.
export default defineConfig([
  { ...shared, entry: { index: "ts/entry/index.ts" } },
  { ...shared, entry: { "no-simd": "ts/entry/no-simd.ts" } },
  { ...shared, entry: { slim: "ts/entry/slim.ts" } },
  // Its declarations are those of index; as with threads.
  { ...shared, entry: { "index.workerd": "ts/entry/index.workerd.ts" }, dts: false, plugins: [kernelBeside] },
  { ...shared, entry: { threads: "ts/entry/threads.ts" } },
  { ...shared, entry: { "threads.workerd": "ts/entry/threads.workerd.ts" }, dts: false, plugins: [kernelBeside] },
])
