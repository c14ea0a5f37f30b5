import { existsSync, readdirSync } from "node:fs"
import { join } from "node:path"

const passedOver = new Set(["node_modules", "target", "generated"])

/**
 * @param {string} root
 * @param {string} folder
 * @param {RegExp} names
 * @returns {string[]} paths from the root, with slashes
 */
export function sourceFiles(root, folder, names) {
  if (!existsSync(join(root, folder))) return []
  return readdirSync(join(root, folder), { withFileTypes: true })
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .flatMap((entry) => {
      const path = `${folder}/${entry.name}`
      if (entry.isDirectory()) return passedOver.has(entry.name) ? [] : sourceFiles(root, path, names)
      return names.test(entry.name) ? [path] : []
    })
}
