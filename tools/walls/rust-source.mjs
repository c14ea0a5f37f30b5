/**
 * Rust source whose comments, strings and characters are spaces, so that what is left is code, line
 * for line.
 * @param {string} source
 */
export function blanked(source) {
  return source.replace(
    /\/\/[^\n]*|b?r(#*)"[\s\S]*?"\1|b?"(?:\\[\s\S]|[^"\\])*"|b?'(?:\\(?:u\{[^}]*\}|x..|.)|[^'\\\n])'|\/\*[\s\S]*?\*\//g,
    (text) => text.replace(/[^\n]/g, " "),
  )
}
