import { backward, forward } from "batchnorm"
import { describe, expect, test } from "vitest"
import { dtypes, layouts, product, zeros } from "../support/numerics-arrays.ts"
import {
  channelOf,
  exactMoments,
  gather,
  judgeBackward,
  judgeForward,
  judgeMoments,
  type Quantity,
} from "../support/numerics-contract.ts"
import { Random } from "../support/numerics-random.ts"

// Around the size of a tile of channels, of a staging buffer, and far beyond both.
const channelCounts = [1, 2047, 2048, 2049, 4095, 4096, 4097, 65_537, 300_007]
const instances = layouts.flatMap((layout) => dtypes.map((dtype) => ({ layout, dtype })))

describe.each(instances)("$layout, $dtype", ({ layout, dtype }) => {
  test.each(channelCounts.flatMap((channels) => [1, 2, 5].map((length) => ({ channels, length }))))(
    "$channels channels of $length elements stay within the contract",
    ({ channels, length }) => {
      const shape = layout === "channels-last" ? [length, channels] : [channels, length]
      const axis = layout === "channels-last" ? 1 : 0
      const place = (channel: number, index: number) =>
        layout === "channels-last" ? index * channels + channel : channel * length + index
      const random = new Random(channels + length)
      const [x, dy] = [zeros(shape, dtype), zeros(shape, dtype)]
      for (let i = 0; i < product(shape); i++) {
        // Each channel is told from its neighbours by its offset, of a prime period.
        const channel = layout === "channels-last" ? i % channels : Math.floor(i / length)
        x.data[i] = 1000 * (channel % 1009) + random.uniform()
        dy.data[i] = (i % 101) - 50
      }
      const { y, saved } = forward(x, { axis })
      const { dx, dgamma, dbeta } = backward(dy, x, saved)
      const broken: string[] = []
      const looked = Array.from({ length: Math.min(channels, 60) }, (_, i) => (i < 30 ? i : channels - 1 - (i - 30)))
      if (channels > 60) looked.push(...Array.from({ length: 200 }, () => random.below(channels)), 2047)
      for (const channel of looked.filter((channel) => channel >= 0 && channel < channels)) {
        const note = (quantity: Quantity, ratio: number, what: string) => {
          if (!(ratio <= 1)) broken.push(`${quantity} of channel ${channel}: error / bound ${ratio}, ${what}`)
        }
        const places = Array.from({ length }, (_, index) => place(channel, index))
        const elements = { x: gather(x.data, places), at: [...places.keys()] }
        const due = exactMoments(dtype, elements.x)
        const [mean, variance] = [saved.mean[channel]!, saved.variance[channel]!]
        const parameters = { gamma: 1, beta: 0, epsilon: 1e-3 }
        judgeMoments(dtype, due, mean, variance, note)
        const exactly = channelOf(due.mean, due.variance, parameters)
        judgeForward(dtype, "y batch", exactly, elements, gather(y.data, places), false, note)
        const got = { dgamma: dgamma[channel]!, dbeta: dbeta[channel]!, dx: gather(dx.data, places) }
        judgeBackward(dtype, channelOf(mean, variance, parameters), elements, gather(dy.data, places), got, false, note)
        expect(saved.count[channel]).toBe(length)
      }
      expect(broken).toEqual([])
    },
  )
})
