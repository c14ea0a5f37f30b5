import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import axe, { type AxeResults } from "axe-core"
import type { Browser, ElementHandle, Page } from "puppeteer-core"
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest"
import { browsers } from "../support/browsers.ts"
import { type Site, serveSite } from "./site.ts"
import { strokesOf } from "./strokes.ts"

// A training takes seconds, and many where other tests take the processor.
vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 })

let site: Site
const folder = mkdtempSync(join(tmpdir(), "demo-"))
beforeAll(async () => {
  site = await serveSite(folder)
})
afterAll(async () => {
  await site.close()
  rmSync(folder, { recursive: true })
})

describe.each(Object.entries(browsers))("%s", (name, launch) => {
  let browser: Browser
  let page: Page
  let faults: string[]
  let expected: RegExp | undefined

  beforeAll(async () => {
    browser = await launch()
  })
  afterAll(() => browser.close())
  afterEach(async () => {
    await page.close()
    expect(faults.filter((fault) => !expected?.test(fault))).toEqual([])
  })

  async function open(how?: string, width = 1280): Promise<void> {
    faults = []
    expected = undefined
    page = await browser.newPage()
    page.setDefaultTimeout(110_000)
    page.on("pageerror", (error) => faults.push(String(error)))
    page.on("console", (message) => {
      if (["error", "warn"].includes(message.type())) faults.push(message.text())
    })
    await page.setViewport({ width, height: 900 })
    await page.goto(site.url(how))
  }

  const textOf = (selector: string) => page.$eval(selector, (found) => found.textContent ?? "")
  const rowCount = () => page.$$eval("#numbers tbody tr", (rows) => rows.length)
  const cells = (row: number) =>
    page.$$eval(`#numbers tbody tr:nth-child(${row}) > *`, (found) => found.map((cell) => cell.textContent))
  const trained = (epochs: number) =>
    page.waitForFunction((least) => document.querySelectorAll("#numbers tbody tr").length >= least, {}, epochs)
  const says = (selector: string, text: string) =>
    page.waitForFunction(
      (selector, text) => document.querySelector(selector)?.textContent?.includes(text),
      {},
      selector,
      text,
    )
  const finished = () => says("#state", "Finished")
  const click = async (selector: string) => {
    await page.$eval(selector, (found) => found.scrollIntoView({ block: "center" }))
    await page.click(selector)
  }
  /** How many pixels of a canvas are of a colour of the page, or near. */
  const painted = (canvas: ElementHandle<HTMLCanvasElement>, colour: string) =>
    canvas.evaluate((canvas, colour) => {
      const probe = document.createElement("canvas").getContext("2d", { willReadFrequently: true })!
      probe.fillStyle = getComputedStyle(document.documentElement).getPropertyValue(`--${colour}`)
      probe.fillRect(0, 0, 1, 1)
      const [r = 0, g = 0, b = 0] = probe.getImageData(0, 0, 1, 1).data
      probe.canvas.width = canvas.width
      probe.canvas.height = canvas.height
      probe.drawImage(canvas, 0, 0)
      const { data } = probe.getImageData(0, 0, canvas.width, canvas.height)
      let count = 0
      for (let i = 0; i < data.length; i += 4) {
        const distance = Math.abs(data[i]! - r) + Math.abs(data[i + 1]! - g) + Math.abs(data[i + 2]! - b)
        if (data[i + 3]! > 200 && distance < 40) count++
      }
      return count
    }, colour)

  async function draw(digit: number): Promise<void> {
    await page.$eval("#pad", (pad) => pad.scrollIntoView({ block: "center" }))
    const { left, top, side } = await page.$eval("#pad", (pad) => {
      const { left, top, width } = pad.getBoundingClientRect()
      return { left, top, side: width }
    })
    for (const stroke of strokesOf[digit]!) {
      const places = stroke.map(({ x, y }) => [left + x * side, top + y * side] as const)
      await page.mouse.move(...places[0]!)
      await page.mouse.down()
      for (const place of places) await page.mouse.move(...place)
      await page.mouse.up()
    }
  }

  async function axeViolations(): Promise<string[]> {
    await page.evaluate(axe.source)
    const { violations } = await page.evaluate(() =>
      (globalThis as unknown as { axe: { run(): Promise<AxeResults> } }).axe.run(),
    )
    return violations.flatMap(({ id, nodes }) => nodes.map((node) => `${id}: ${node.html} ${node.failureSummary}`))
  }

  test("it trains past 95 % with batch norm, paints curves and histograms, and reads what one draws", async () => {
    await open()
    await finished()
    expect(await rowCount()).toBe(20)
    const [epoch, ...numbers] = await cells(20)
    expect(epoch).toBe("20")
    const [lossWith, lossWithout, accuracyWith, accuracyWithout] = numbers.map((text) => Number.parseFloat(text!))
    expect(accuracyWith).toBeGreaterThan(95)
    expect(accuracyWithout).toBeGreaterThan(90)
    expect(Math.max(lossWith!, lossWithout!)).toBeLessThan(0.1)
    expect(await textOf("#outcome")).toContain(`with batch norm tells ${numbers[2]} of`)
    expect(await textOf("#accuracy-key")).toBe(`with batch norm ${numbers[2]}without ${numbers[3]}`)
    expect(await textOf("#loss-key")).toBe(`with batch norm ${numbers[0]}without ${numbers[1]}`)
    for (const text of numbers.slice(0, 2)) expect(text!.replace(/^[0.]+/, "")).toMatch(/^\d{3}$/)
    for (const text of numbers.slice(2)) expect(text).toMatch(/^\d+\.\d\u00a0%$/)
    for (const chart of ["#loss", "#accuracy"]) {
      const canvas = (await page.$(`${chart}-chart canvas`))!
      for (const network of ["with", "without"]) expect(await painted(canvas, network)).toBeGreaterThan(200)
      expect(await textOf(`${chart}-summary`)).toMatch(
        /with batch norm from [\d.]+(\s%)? after epoch 1 to .* after epoch 20;/,
      )
    }
    const ridges = await page.$$("#ridges canvas")
    expect(ridges).toHaveLength(10)
    for (const [i, canvas] of ridges.entries()) {
      expect(await painted(canvas, i % 2 === 0 ? "with" : "without"), `panel ${i}`).toBeGreaterThan(50)
    }

    for (const digit of [3, 0, 4]) {
      await click("#clear")
      await says("#answers", "with batch norm: —")
      await draw(digit)
      await says("#answers", `with batch norm: ${digit} (`)
    }
    await click("#test-image")
    await says("#seen-label", "A test image, in truth a")
    expect(await textOf("#answers")).toMatch(/with batch norm: \d \(.*without: \d \(/)

    await page.focus("#epoch")
    await page.keyboard.press("Home")
    await says("#epoch-value", "before training")
    expect(await page.$eval("#ridges canvas", (canvas) => canvas.getAttribute("aria-label"))).toContain("epoch 0: ")
  })

  test("it pauses, resumes and restarts", async () => {
    await open()
    await trained(1)
    await click("#pause")
    await says("#state", "Paused")
    expect(await textOf("#pause")).toBe("Resume")
    // The worker takes one message after the other: where it answers, it has paused.
    await click("#test-image")
    await says("#seen-label", "A test image")
    const rows = await rowCount()
    const progress = () => page.$eval("#progress", (bar) => (bar as HTMLProgressElement).value)
    const reached = await progress()
    await click("#clear")
    await draw(6)
    await says("#answers", "\u00a0%)")
    expect([await rowCount(), await progress()]).toEqual([rows, reached])
    expect(rows).toBeLessThan(20)

    await click("#pause")
    await trained(rows + 1)
    expect(await textOf("#pause")).toBe("Pause")
    await click("#pause")
    const first = await cells(1)
    await click("#restart")
    await page.waitForFunction((most) => document.querySelectorAll("#numbers tbody tr").length < most, {}, rows)
    await says("#state", "Training")
    await trained(1)
    expect(await cells(1)).toEqual(first)
  })

  test("each setting starts a training of its own", async () => {
    await open()
    const fingerprint = async () => {
      await trained(2)
      return [...(await cells(1)), ...(await cells(2))].join(" ")
    }
    const seen = [await fingerprint()]
    const change = async (act: () => Promise<unknown>) => {
      await act()
      // A new run is not over before two epochs, and what was there of the old one went within the change itself.
      seen.push(await fingerprint())
    }
    const note = () => textOf("#convention-note")
    expect(await note()).toContain("Keras: ε is 0.001, running statistics are 0.9 of the old")
    await change(() => page.select("#convention", "torch"))
    expect(await note()).toContain("PyTorch: ε is 0.00001")
    await change(() => page.select("#rate", "0.1"))
    await change(() => page.select("#batch", "128"))
    await change(async () => {
      await page.focus("#layers")
      await page.keyboard.press("ArrowLeft")
    })
    expect(await page.$$("#ridges canvas")).toHaveLength(8)
    await change(async () => {
      await page.focus("#seed")
      await page.keyboard.press("ArrowUp")
    })
    expect(new Set(seen).size, seen.join("\n")).toBe(6)
    await page.$$eval("#presets button", (buttons) => {
      buttons.find((button) => button.textContent === "eight layers")?.click()
    })
    expect(await page.$$("#ridges canvas")).toHaveLength(16)
    const values = ["rate", "layers", "batch", "convention", "seed"].map((id) =>
      page.$eval(`#${id}`, (control) => (control as HTMLInputElement).value),
    )
    expect(await Promise.all(values)).toEqual(["0.3", "8", "60", "keras", "1"])
    await page.select("#convention", "onnx")
    await says("#convention-note", "ONNX: ε is 0.00001, running statistics are 0.9 of the old")
    await page.select("#convention", "tf-fused")
    await says("#convention-note", "running statistics are those of the last batch, of the unbiased variance")
  })

  test("a seed that cannot be is said to be none, and starts nothing", async () => {
    await open()
    const seed = (await page.$("#seed"))! as ElementHandle<HTMLInputElement>
    const enter = async (text: string) => {
      await seed.evaluate((input) => {
        input.focus()
        input.select()
      })
      await page.keyboard.press("Backspace")
      await page.keyboard.type(text)
    }
    await trained(1)
    await click("#pause")
    await says("#state", "Paused")
    const state = await textOf("#state")
    for (const text of ["", "-5", "1.5", "9999999"]) {
      await enter(text)
      // At once, and again when the change has been judged.
      for (let i = 0; i < 2; i++) {
        await click("#restart")
        expect(await textOf("#state"), text).toBe(state)
        expect(await page.evaluate(() => document.activeElement?.id), text).toBe("seed")
        expect(await seed.evaluate((input) => input.validationMessage), text).not.toBe("")
      }
    }
    await enter("999999")
    await click("#restart")
    await says("#state", "Training")
    await trained(1)
  })

  test("the keyboard is enough", async () => {
    await open()
    const visited: string[] = []
    const tabTo = async (id: string) => {
      for (let i = 0; i < 30; i++) {
        await page.keyboard.press("Tab")
        const active = await page.evaluate(() => document.activeElement?.id ?? "")
        visited.push(active)
        if (active === id) return
      }
      throw new Error(`Tab does not come to #${id}: ${visited}`)
    }
    await tabTo("pause")
    expect(visited.slice(-6)).toEqual(["rate", "layers", "batch", "convention", "seed", "pause"])
    await trained(3)
    await page.keyboard.press(" ")
    await says("#state", "Paused")
    await tabTo("epoch")
    await page.keyboard.press("Home")
    await says("#epoch-value", "before training")
    await page.keyboard.down("Shift")
    await tabTo("pause")
    await page.keyboard.up("Shift")
    await page.keyboard.press("Enter")
    await says("#state", "Training")
    await tabTo("pad")
    // A 1, as 13 people write it: a stroke down.
    await page.keyboard.press(" ")
    for (let i = 0; i < 12; i++) await page.keyboard.press("ArrowDown")
    await page.keyboard.press(" ")
    await says("#answers", "with batch norm: 1 (")
    expect(await textOf("#answers-announcement")).toContain("with batch norm: 1")
    await page.keyboard.press("Delete")
    await says("#answers", "with batch norm: —")
    await tabTo("measure")
  })

  test("speed is measured at a click, answers checked, and training goes on afterwards", async () => {
    await open()
    await trained(1)
    await click("#measure")
    await says("#state", "Paused, while speed is measured, after")
    await click("#restart")
    await says("#state", "Paused, while speed is measured, after 0")
    await says("#speed-state", "all answers were right")
    expect(await textOf("#speed-state")).toMatch(/^Between \d+\.\d and \d+\.\d times as fast/)
    const groups = await page.$$eval("#speed tbody", (bodies) =>
      bodies.map((body) => [...body.rows].map((row) => [...row.cells].map((cell) => cell.textContent ?? ""))),
    )
    expect(groups.map(([array]) => array)).toEqual([
      ["channels-last 128×1024"],
      ["channels-last 8×56×56×64"],
      ["channels-first 8×64×56×56"],
    ])
    const rows = groups.flatMap(([, ...rest]) => rest)
    expect(rows.map(([operation]) => operation)).toEqual(Array(3).fill(["forward", "backward", "infer"]).flat())
    for (const [, ours, theirs, ratio] of rows) {
      for (const time of [ours, theirs]) {
        expect(time).toMatch(/^[\d.]+\u00a0(µs|ms)$/)
        // 0.0123 has three as well, but no time is below 1 µs.
        expect(time!.replace(/\D/g, "").length, time).toBe(3)
      }
      for (const figure of [ours, theirs, ratio]) expect(Number.parseFloat(figure!)).toBeGreaterThan(0)
    }
    await trained(1 + (await rowCount()))
  })

  test("nothing is asked for after it has loaded, and nothing of another origin", async () => {
    const foreign: string[] = []
    const start = site.requests.length
    await open()
    page.on("request", (request) => {
      if (!/^(http:\/\/127\.0\.0\.1|data:|blob:)/.test(request.url())) foreign.push(request.url())
    })
    await trained(1)
    const loaded = site.requests.slice(start)
    for (const part of ["index-", "training.worker-", "speed.worker-", "digits.csv-"]) {
      expect(loaded.filter((path) => path.includes(part)).length, part).toBeGreaterThan(0)
    }
    await draw(2)
    await click("#restart")
    await click("#measure")
    await says("#speed-state", "Measuring, 1 of")
    expect(site.requests.slice(start)).toEqual(loaded)
    expect(foreign).toEqual([])
  })

  test.each([360, 320])("a phone's width of %i pixels needs no scrolling sideways", async (width) => {
    await open(undefined, width)
    await trained(2)
    await page.$eval("details", (details) => details.setAttribute("open", ""))
    await click("#test-image")
    await click("#measure")
    await says("#speed-state", "all answers were right")
    const [content, window] = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth])
    expect(content).toBeLessThanOrEqual(window!)
    const speed = await page.$eval("#speed-results", (box) => {
      const { right } = box.getBoundingClientRect()
      const cells = [...box.querySelectorAll("th, td, b")]
      const beyond = cells.filter((cell) => cell.getBoundingClientRect().right > right + 0.5)
      return {
        cells: cells.length,
        beyond: beyond.map((cell) => cell.textContent),
        hidden: box.scrollWidth - box.clientWidth,
      }
    })
    // Four heads, three names of arrays, and nine rows of four cells and a ratio.
    expect(speed).toEqual({ cells: 4 + 3 + 9 * 5, beyond: [], hidden: 0 })
    const charts = await page.$$eval(".chart canvas", (all) =>
      all.map((canvas) => canvas.getBoundingClientRect().right),
    )
    for (const right of charts) expect(right).toBeLessThanOrEqual(width)
  })

  test.each(name === "Firefox" ? ["dark"] : ["light", "dark"])(
    "in %s there is nothing that axe objects to",
    async (scheme) => {
      await open()
      if (name !== "Firefox") await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: scheme }])
      const isDark = await page.evaluate(() => matchMedia("(prefers-color-scheme: dark)").matches)
      expect(isDark).toBe(scheme === "dark")
      await trained(2)
      await page.$eval("details", (details) => details.setAttribute("open", ""))
      await draw(7)
      await says("#answers", "\u00a0%)")
      await click("#measure")
      await page.waitForFunction(() => document.querySelectorAll("#speed tbody tr").length > 1)
      expect(await axeViolations()).toEqual([])
      const luminance = await page.evaluate(() => {
        const [r = 0, g = 0, b = 0] = getComputedStyle(document.body).backgroundColor.match(/\d+/g)!.map(Number)
        return (r + g + b) / 765
      })
      expect(luminance > 0.5).toBe(scheme === "light")
    },
  )

  test("a network that diverges is said to have", async () => {
    await open()
    await page.select("#rate", "3")
    await says("#outcome", "The network without diverged in epoch 1: its steps were too large")
    expect(await textOf("#announcement")).toContain("The network without diverged")
    expect((await cells(1))[2]).toBe("diverged")
    expect(await textOf("#accuracy-key")).toContain("without diverged")
    await draw(1)
    await says("#answers", "without: nothing, it has diverged")
    await trained(5)
    expect(Number.parseFloat((await cells(5))[3]!)).toBeGreaterThan(85)
  })

  test.each([
    ["no-wasm", /^This browser cannot run the kernels: this engine has no WebAssembly\. Browsers have had /],
    [
      "no-simd",
      /^This browser .*: the kernels do not compile: they are damaged, or the engine lacks WebAssembly SIMD.*[^.]\. Browsers /,
    ],
    ["dies-once", /^The worker stopped: .*out of luck\. Restart tries again\.$/],
    ["no-worker", "The worker stopped: its script could not be loaded. Restart tries again."],
    ["no-data", "The digits could not be loaded: the server answered 404. Restart tries again."],
    ["lost-data", "The digits could not be loaded: the server could not be reached. Restart tries again."],
    ["short-data", "The digits could not be loaded: the file is cut off or damaged. Restart tries again."],
    ["empty-data", "The digits could not be loaded: the file is empty. Restart tries again."],
    ["html-data", "The digits could not be loaded: what the server sent is something else. Restart tries again."],
    ["fewer-data", "The digits could not be loaded: what the server sent is something else. Restart tries again."],
  ])("%s is said in words", async (how, words) => {
    await open(how)
    // What the browser itself says of a script or file that is not there or cut off, or of an error that nobody caught.
    expected = /404|out of luck|Loading (failed|Worker)|Failed to (load|read data from the ReadableStream)/
    const told = async () => {
      await page.waitForSelector("#failure:not([hidden])", { timeout: 30_000 })
      const text = await textOf("#failure")
      if (typeof words === "string") expect(text).toBe(words)
      else expect(text).toMatch(words)
    }
    await told()
    expect(await textOf("#state")).toBe("Stopped")
    const asked = site.requests.length
    await click("#restart")
    await told()
    if (how.endsWith("-data")) expect(site.requests.slice(asked).join()).toContain(".gz")
  })

  test("data that the server has unpacked already will do", async () => {
    await open("unpacked-data")
    await trained(1)
  })
})
