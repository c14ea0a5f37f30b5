// How a change reads in CHANGELOG.md: as it was written, for people, without the commit it came with.

/** @param {{ summary: string }} changeset */
export function getReleaseLine({ summary }) {
  return `- ${summary.trim().replaceAll("\n", "\n  ")}`
}

export function getDependencyReleaseLine() {
  return ""
}
