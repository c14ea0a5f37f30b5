// How the results of one pass, forward or backward, are judged, channel by channel.
import { placesOf } from "../reference.ts"
import { type Accuracy, ChannelBounds, type ChannelNumbers, type Origin, type Verdict } from "./framework-bounds.ts"

type Numbers = ArrayLike<number>

/** What was computed from what. */
export interface Pass {
  readonly shape: readonly number[]
  readonly axis: number | readonly number[]
  readonly activation?: "relu" | null
  /** For each channel. */
  readonly channels: readonly ChannelNumbers[]
  readonly origins: readonly Origin[]
  /** For each element. */
  readonly x: Numbers
  readonly dy?: Numbers | undefined
  readonly residual?: Numbers | undefined
  readonly weights?: Numbers | undefined
}

const elementNames = ["y", "dx", "dresidual"] as const
const channelNames = ["dgamma", "dbeta", "dmean", "dvariance"] as const
type Name = (typeof elementNames)[number] | (typeof channelNames)[number]

/** Results by name, some or all. */
export type Results = { readonly [name in Name]?: Numbers | undefined }

/** The axes that are kept, in order. */
function keptAxes(axis: number | readonly number[], rank: number): number[] {
  return [axis]
    .flat()
    .map((each) => (each < 0 ? each + rank : each))
    .sort((a, b) => a - b)
}

/** The places of each channel. */
export const channelsOf = (shape: readonly number[], axis: number | readonly number[]): number[][] =>
  placesOf(shape, keptAxes(axis, shape.length))

/** Judges all results that there are. */
export function judgePass(verdict: Verdict, accuracy: Accuracy, pass: Pass, due: Results, got: Results): void {
  const elements = Object.fromEntries(elementNames.map((name) => [name, new Float64Array(pass.x.length)]))
  const perChannel = Object.fromEntries(channelNames.map((name) => [name, new Float64Array(pass.channels.length)]))
  for (const [channel, places] of channelsOf(pass.shape, pass.axis).entries()) {
    const bounds = new ChannelBounds(accuracy, pass.channels[channel]!, pass.origins[channel]!)
    const of = (values: Numbers) => places.map((place) => values[place]!)
    for (const place of places) elements.y![place] = bounds.y(pass.x[place]!, pass.residual?.[place])
    if (!pass.dy) continue
    const stopped = (place: number) => pass.activation === "relu" && !(due.y![place]! > 0)
    const through = places.map((place) => (stopped(place) ? 0 : pass.dy![place]!))
    const gradients = bounds.gradients(of(pass.x), through, pass.weights && of(pass.weights))
    for (const name of channelNames) perChannel[name]![channel] = gradients[name]
    for (const [index, place] of places.entries()) elements.dx![place] = gradients.dx(index)
  }
  for (const [name, bounds] of Object.entries({ ...elements, ...perChannel })) {
    const values = got[name as Name]
    if (values) verdict.near(name, values, due[name as Name] ?? [], (index) => bounds[index]!)
  }
}
