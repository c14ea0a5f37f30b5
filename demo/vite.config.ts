import { fileURLToPath } from "node:url"
import { defineConfig } from "vite"

const path = (relative: string) => fileURLToPath(new URL(relative, import.meta.url))

// Only in what is built: while it serves the sources, Vite puts styles and scripts of its own into the page.
const policy =
  "default-src 'self'; img-src 'self' data:; style-src 'self' 'unsafe-inline'; script-src 'self' 'wasm-unsafe-eval'"

export default defineConfig({
  root: path("."),
  // Relative, so that the page works in whatever folder of a server it lies.
  base: "./",
  cacheDir: path("../.tools/vite-demo"),
  // The examples and the bench, whose code the page shares, lie beside it.
  server: { fs: { allow: [path("..")] } },
  build: { outDir: path("../site"), emptyOutDir: true, target: "es2022", assetsInlineLimit: 0 },
  worker: { format: "es" },
  plugins: [
    {
      name: "content-security-policy",
      apply: "build",
      transformIndexHtml: () => [
        { tag: "meta", attrs: { "http-equiv": "Content-Security-Policy", content: policy }, injectTo: "head-prepend" },
      ],
    },
  ],
})
