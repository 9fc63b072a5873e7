import { randomInt, type Clock, type Rng } from '@berth/kernel'
import { SimChannel, type ChannelEnds } from './sim-channel.ts'

/** What may happen between two nodes. Rates are 0 to 1, times are milliseconds. */
export interface LinkFaults {
  readonly minDelayMs: number
  readonly maxDelayMs: number
  /** A datagram is lost. On a channel, where loss means a retransmission, it is late instead. */
  readonly lossRate: number
  /** A datagram arrives a second time, later. Never on a channel. */
  readonly duplicateRate: number
  /** A datagram is held back long enough to be overtaken. Never on a channel. */
  readonly reorderRate: number
}

/** A network that only takes time, the same for every message. */
export const CALM: LinkFaults = {
  minDelayMs: 1,
  maxDelayMs: 1,
  lossRate: 0,
  duplicateRate: 0,
  reorderRate: 0,
}

/** How late a retransmitted message of a channel is: TCP's minimum on Linux. */
const RETRANSMIT_MS = 200
/** How long a held-back datagram waits, in multiples of the longest delay. */
const REORDER_FACTOR = 5

/** Everything that crosses hosts in a simulation crosses this. */
export interface SimNetwork {
  /** Faults of every link from now on; `setLink` has the last word for one of them. */
  setFaults(faults: LinkFaults): void
  setLink(from: string, to: string, faults: LinkFaults): void
  /** Nothing passes between the two, either way, until `heal`. */
  partition(a: string, b: string): void
  heal(a: string, b: string): void
  healAll(): void
  isCut(a: string, b: string): boolean
  /** Sends one message that may be lost, repeated or overtaken, as on NATS. */
  datagram(from: string, to: string, deliver: () => void): void
  /**
   * Opens a channel. It breaks `breakAfterMs` after a partition begins, when keepalive notices,
   * unless the partition has healed by then; what was sent meanwhile arrives after healing.
   */
  channel(from: string, to: string, ends: ChannelEnds, breakAfterMs: number): SimChannel
}

/** The same seed, clock and calls give the same deliveries. */
export const createSimNetwork = (options: { clock: Clock; rng: Rng }): SimNetwork => {
  const { clock, rng } = options
  let faults = CALM
  const links = new Map<string, LinkFaults>()
  const cuts = new Set<string>()
  const channels = new Set<SimChannel>()

  const faultsOf = (from: string, to: string) => links.get(`${from}>${to}`) ?? faults
  const delayOf = (link: LinkFaults) =>
    link.minDelayMs + randomInt(rng, link.maxDelayMs - link.minDelayMs + 1)
  const happens = (rate: number) => rate > 0 && rng.float() < rate
  const isCut = (a: string, b: string) => cuts.has(pairOf(a, b))
  const changeCuts = (change: () => void) => {
    change()
    for (const open of [...channels]) open.noticeCut()
  }

  const datagram = (from: string, to: string, deliver: () => void): void => {
    const link = faultsOf(from, to)
    if (happens(link.lossRate)) return
    const arrive = () => {
      if (!isCut(from, to)) deliver()
    }
    const heldMs = happens(link.reorderRate) ? link.maxDelayMs * REORDER_FACTOR : 0
    clock.after(delayOf(link) + heldMs, arrive)
    if (happens(link.duplicateRate)) clock.after(delayOf(link) + link.maxDelayMs, arrive)
  }

  const channel = (
    from: string,
    to: string,
    ends: ChannelEnds,
    breakAfterMs: number,
  ): SimChannel => {
    const made = new SimChannel({
      ...{ clock, ends, breakAfterMs },
      isCut: () => isCut(from, to),
      drawDelayMs: () => {
        const link = faultsOf(from, to)
        return (happens(link.lossRate) ? RETRANSMIT_MS : 0) + delayOf(link)
      },
      onOver: () => channels.delete(made),
    })
    channels.add(made)
    return made
  }

  return {
    setFaults: (next) => {
      faults = next
    },
    setLink: (from, to, next) => {
      links.set(`${from}>${to}`, next)
    },
    partition: (a, b) => changeCuts(() => cuts.add(pairOf(a, b))),
    heal: (a, b) => changeCuts(() => cuts.delete(pairOf(a, b))),
    healAll: () => changeCuts(() => cuts.clear()),
    isCut,
    datagram,
    channel,
  }
}

const pairOf = (a: string, b: string) => (a < b ? `${a}|${b}` : `${b}|${a}`)
