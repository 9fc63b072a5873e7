import { randomInt, type Cancel, type Clock, type Rng } from '@berth/kernel'

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

/** An ordered, reliable way between two nodes, like one direction of a TCP connection. */
export interface SimChannel {
  /** Delivers `bytes` in order, unless the channel breaks first. False once it is broken. */
  send(bytes: Uint8Array): boolean
  /** Breaks it for both ends. What is under way is lost. */
  close(): void
}

export interface ChannelEnds {
  readonly onBytes: (bytes: Uint8Array) => void
  /** Called once, after the last delivery. */
  readonly onClosed: () => void
}

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
  const onChange = new Set<() => void>()

  const faultsOf = (from: string, to: string) => links.get(`${from}>${to}`) ?? faults
  const delayOf = (link: LinkFaults) =>
    link.minDelayMs + randomInt(rng, link.maxDelayMs - link.minDelayMs + 1)
  const happens = (rate: number) => rate > 0 && rng.float() < rate
  const isCut = (a: string, b: string) => cuts.has(pairOf(a, b))
  const changeCuts = (change: () => void) => {
    change()
    for (const notice of [...onChange]) notice()
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
    const underWay: { bytes: Uint8Array; at: number }[] = []
    let lastAt = 0
    let isOpen = true
    let cancelDelivery: Cancel | undefined
    let cancelBreak: Cancel | undefined

    const close = () => {
      if (!isOpen) return
      isOpen = false
      cancelDelivery?.()
      cancelBreak?.()
      onChange.delete(noticeCut)
      ends.onClosed()
    }
    const deliverNext = () => {
      cancelDelivery = undefined
      const next = underWay[0]
      if (!next || !isOpen || isCut(from, to)) return
      cancelDelivery = clock.after(Math.max(0, next.at - clock.now()), () => {
        cancelDelivery = undefined
        if (isCut(from, to)) return
        underWay.shift()
        ends.onBytes(next.bytes)
        deliverNext()
      })
    }
    const noticeCut = () => {
      if (isCut(from, to)) {
        cancelBreak ??= clock.after(breakAfterMs, close)
        return
      }
      cancelBreak?.()
      cancelBreak = undefined
      if (!cancelDelivery) deliverNext()
    }
    onChange.add(noticeCut)
    noticeCut()

    return {
      close,
      send: (bytes) => {
        if (!isOpen) return false
        const link = faultsOf(from, to)
        const lateMs = happens(link.lossRate) ? RETRANSMIT_MS : 0
        lastAt = Math.max(lastAt, clock.now() + delayOf(link) + lateMs)
        underWay.push({ bytes, at: lastAt })
        if (!cancelDelivery) deliverNext()
        return true
      },
    }
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
