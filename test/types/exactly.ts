type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false

/** `exactly<Expected>()(value)` compiles when the value has this very type. */
export declare function exactly<Expected>(): <Actual>(
  value: Actual,
  ...differs: Same<Actual, Expected> extends true ? [] : [expected: Expected, actual: Actual]
) => void
