// The gradients of tf.js are only in its ES modules, which leave out extensions and which Node refuses for it.
import { registerHooks } from "node:module"

registerHooks({
  resolve(specifier, context, next) {
    const isBare = /^\.{1,2}\//.test(specifier) && !/\.\w+$/.test(specifier)
    return next(isBare && context.parentURL?.includes("/@tensorflow/") ? `${specifier}.js` : specifier, context)
  },
})
