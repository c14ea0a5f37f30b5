import binaryen from "binaryen"

/**
 * A module as cargo leaves it, with nothing of wasm-bindgen's: no descriptions of types, and exports by their names
 * alone. Of a module whose memory is shared wasm-bindgen's own tool would make one that allocates stacks as it starts, on
 * whatever thread that is.
 * @param {Uint8Array} wasm
 * @returns {{ wasm: Uint8Array, pages: number }} pages of the memory that it must be given
 */
export function plainExports(wasm) {
  const module = binaryen.readBinary(withoutCustomSections(wasm))
  try {
    module.setFeatures(binaryen.Features.All)
    for (let index = module.getNumExports() - 1; index >= 0; index--) {
      const { name, kind, value } = binaryen.getExportInfo(module.getExportByIndex(index))
      const [, plain] = /^((?:bn|yardstick)_\w+)_[0-9a-f]{16}$/.exec(name) ?? []
      if (plain && kind === binaryen.ExternalFunction) module.addFunctionExport(value, plain)
      if (plain || kind === binaryen.ExternalFunction || !/^__(stack_pointer|tls_base|tls_size)$/.test(name)) {
        module.removeExport(name)
      }
    }
    const { initial } = module.getMemoryInfo()
    return { wasm: module.emitBinary(), pages: initial }
  } finally {
    module.dispose()
  }
}

/** @param {Uint8Array} wasm */
function withoutCustomSections(wasm) {
  const parts = [wasm.subarray(0, 8)]
  for (let at = 8; at < wasm.length; ) {
    const start = at
    const id = wasm[at++]
    let length = 0
    for (let shift = 0, byte = 0x80; byte & 0x80; shift += 7) {
      byte = /** @type {number} */ (wasm[at++])
      length |= (byte & 0x7f) << shift
    }
    at += length
    if (id !== 0) parts.push(wasm.subarray(start, at))
  }
  return Buffer.concat(parts)
}
