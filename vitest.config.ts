import { playwright } from "@vitest/browser-playwright"
import { defineConfig } from "vitest/config"
import { findChromium } from "./tools/chromium.mjs"

const executablePath = findChromium()

// One set of files. What can run in one place only says so in its name: *.node.test.ts, *.browser.test.ts.
export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    watch: false,
    // The gradients of tf.js are only in its ES modules, which Node does not load as they are: Vite does.
    alias: [{ find: /^@tensorflow\/tfjs-(core|backend-cpu)$/, replacement: "@tensorflow/tfjs-$1/dist/index.js" }],
    projects: [
      {
        extends: true,
        test: {
          name: "node",
          exclude: ["test/**/*.browser.test.ts"],
          pool: "forks",
          execArgv: ["--expose-gc"],
          server: { deps: { external: [/\/dist\//], inline: [/\/@tensorflow\//] } },
        },
      },
      {
        extends: true,
        test: {
          name: "chromium",
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
