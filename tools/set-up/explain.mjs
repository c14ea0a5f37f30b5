/**
 * What the output of a failed tool means for the one who set it going.
 * @type {readonly (readonly [RegExp, string])[]}
 */
const causes = [
  [
    /ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|ENETUNREACH|network request .*failed|could(n't| not) resolve host|failed to (download|fetch|get)|spurious network error|error sending request|Temporary failure (in name resolution|resolving)|failed to lookup address|Could not connect to server/i,
    "the network or the package registry cannot be reached: check the connection, then run the same command again",
  ],
  [/ENOSPC|no space left on device/i, "the disk is full: free some space, then run the same command again"],
  [
    /linker `?\S+`? not found/i,
    "a C linker is missing, which Rust needs: install gcc (Debian: apt-get install gcc libc6-dev), then run the same command again",
  ],
  [
    /could not choose a version|toolchain '[^']*' is not installed|no default toolchain|no override and no default toolchain/i,
    "rustup has no stable toolchain: run `rustup toolchain install stable`, then the same command again",
  ],
  [
    /lock file .*out of date|package\.json and package-lock\.json.*in sync/i,
    "package-lock.json does not belong to package.json: run `npm install`, then the same command again",
  ],
  [
    /the lock file \S+ needs to be updated|cannot update the lock file/i,
    "Cargo.lock does not belong to Cargo.toml: run `cargo check`, then the same command again",
  ],
]

/**
 * @param {string} output
 * @returns {string | undefined} one line, if the cause is known
 */
export function explain(output) {
  return causes.find(([pattern]) => pattern.test(output))?.[1]
}
