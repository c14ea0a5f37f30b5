/** CI runs it after the tests, and has 90 minutes for both. */
const mostMinutes = 25

/** How long a run took, in words, and 1 where that is too long. */
export function judgeTime(seconds: number): { readonly line: string; readonly failed: 0 | 1 } {
  const whole = Math.ceil(seconds)
  const took = `in ${Math.floor(whole / 60)} min ${whole % 60} s`
  return whole <= mostMinutes * 60
    ? { line: `✓ ${took}, at most ${mostMinutes} min`, failed: 0 }
    : { line: `✗ ${took}: a run may take ${mostMinutes} min at most`, failed: 1 }
}
