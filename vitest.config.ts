import { fileURLToPath } from "node:url"
import { playwright } from "@vitest/browser-playwright"
import { defineConfig } from "vitest/config"
import { findChromium } from "./tools/chromium.mjs"

const executablePath = findChromium()

const all = ["test/**/*.test.ts"]

// What is run on each build of the kernels: that all give the same bits, and that their API does the same.
const sameEverywhere = [
  "test/numerics/{bits,edges}.test.ts",
  "test/property/{places,operand-places}.test.ts",
  "test/unit/{backward,batch-norm,batch-normalization,fold,forward,masks,moments,residual,standardizer}.test.ts",
]

// One set of files. What can run in one place only says so in its name: *.node.test.ts, *.browser.test.ts.
export default defineConfig({
  test: {
    watch: false,
    // The gradients of tf.js are only in its ES modules, which Node does not load as they are: Vite does.
    alias: [{ find: /^@tensorflow\/tfjs-(core|backend-cpu)$/, replacement: "@tensorflow/tfjs-$1/dist/index.js" }],
    projects: [
      {
        extends: true,
        test: {
          name: "node",
          include: all,
          exclude: ["test/**/*.browser.test.ts"],
          pool: "forks",
          execArgv: ["--expose-gc"],
          server: { deps: { external: [/\/dist\//], inline: [/\/@tensorflow\//] } },
        },
      },
      {
        // Engines without SIMD: V8 offers it on x64 only where the machine has SSE4.1, or is told that it has.
        extends: true,
        test: {
          name: "no-simd",
          include: [...sameEverywhere, "test/unit/allocate.test.ts"],
          alias: [{ find: /^batchnorm$/, replacement: fileURLToPath(new URL("dist/no-simd.js", import.meta.url)) }],
          pool: "forks",
          execArgv: ["--expose-gc", "--no-enable-sse4-1"],
          server: { deps: { external: [/\/dist\//] } },
        },
      },
      {
        extends: true,
        test: {
          name: "threads",
          include: sameEverywhere,
          alias: [{ find: /^batchnorm$/, replacement: fileURLToPath(new URL("dist/threads.js", import.meta.url)) }],
          setupFiles: "test/support/threads-setup.ts",
          pool: "forks",
          execArgv: ["--expose-gc"],
          server: { deps: { external: [/\/dist\//] } },
        },
      },
      {
        extends: true,
        test: {
          name: "chromium",
          include: all,
          exclude: ["test/**/*.node.test.ts"],
          browser: {
            enabled: true,
            headless: true,
            screenshotFailures: false,
            ui: false,
            instances: [{ browser: "chromium" }],
            provider: playwright({
              launchOptions: {
                ...(executablePath && { executablePath }),
                args: ["--no-sandbox", "--disable-background-networking", "--disable-quic", "--js-flags=--expose-gc"],
              },
            }),
          },
        },
      },
    ],
  },
})
