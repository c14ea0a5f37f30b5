;; What ts/printable.ts runs: the bytes of a text that tools/printable.mjs wrote, in place. `decode` is given how many
;; characters lie at address 0, and returns how many bytes are there in their place, never more.
(module
  (memory (export "scratch") 1)
  (func (export "decode") (param $length i32) (result i32)
    (local $from i32)
    (local $to i32)
    (local $code i32)
    ;; 64 times the number before a digit
    (local $page i32)
    (block $end
      (loop $next
        (br_if $end (i32.eq (local.get $from) (local.get $length)))
        (local.set $code (i32.load8_u (local.get $from)))
        (local.set $from (i32.add (local.get $from) (i32.const 1)))
        ;; "1" to "3"; "/" is below them
        (if (i32.lt_u (i32.sub (local.get $code) (i32.const 48)) (i32.const 4))
          (then
            (local.set $page (i32.shl (local.get $code) (i32.const 6)))
          )
          (else
            ;; "/" for the backslash; page 0 begins at 0xfc, digits at "?"
            (i32.store8
              (local.get $to)
              (i32.add
                (i32.add
                  (local.get $page)
                  (select (i32.const 92) (local.get $code) (i32.eq (local.get $code) (i32.const 47)))
                )
                (i32.const 189)
              )
            )
            (local.set $to (i32.add (local.get $to) (i32.const 1)))
            (local.set $page (i32.const 0))
          )
        )
        (br $next)
      )
    )
    (local.get $to)
  )
)
