import { command } from "./command.mjs"

/**
 * Installs a package where this is Debian, or what has its apt-get, and we may; nothing otherwise.
 * @param {string} name
 * @param {(line: string) => void} say
 */
export async function installFromDebian(name, say) {
  if (process.getuid?.() !== 0) return
  const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive" }
  await command("apt-get", ["-q", "update"], { say, env })
  await command("apt-get", ["-q", "install", "-y", "--no-install-recommends", name], { say, env, log: name })
}
