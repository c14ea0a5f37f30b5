/** Copies of the slim entry, each at an address of its own, so that none has started. */
declare module "batchnorm/slim?*" {
  export { init, initSync, moments } from "batchnorm/slim"
}

/** Where the page serves the kernels. */
declare module "batchnorm/kernel.wasm?url" {
  const url: string
  // biome-ignore lint/style/noDefaultExport: it is what Vite makes
  export default url
}
