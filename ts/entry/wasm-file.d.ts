// What an import of a .wasm is depends on who loads it: workerd, a bundler or Node.
declare module "*.wasm"
