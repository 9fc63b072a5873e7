import type { Cancel, Clock } from '@berth/kernel'

/** What a channel needs of the network it crosses. */
export interface ChannelOptions {
  readonly clock: Clock
  readonly ends: ChannelEnds
  /** Keepalive gives up this long after a cut. */
  readonly breakAfterMs: number
  /** Nothing passes now. */
  isCut(): boolean
  /** How long the next message takes. */
  drawDelayMs(): number
  /** It is closed and needs to hear of cuts no more. */
  onOver(): void
}

/** What one end is told. */
export interface ChannelEnds {
  readonly onBytes: (bytes: Uint8Array) => void
  /** Called once, after the last delivery. */
  readonly onClosed: () => void
}

/** An ordered, reliable way between two nodes, like one direction of a TCP connection. */
export class SimChannel {
  readonly #options: ChannelOptions
  readonly #underWay: { readonly bytes: Uint8Array; readonly at: number }[] = []
  #lastAt = 0
  #isOpen = true
  #cancelDelivery: Cancel | undefined
  #cancelBreak: Cancel | undefined

  constructor(options: ChannelOptions) {
    this.#options = options
    this.noticeCut()
  }

  /** Delivers `bytes` in order, unless the channel breaks first. False once it is broken. */
  send(bytes: Uint8Array): boolean {
    if (!this.#isOpen) return false
    const { clock, drawDelayMs } = this.#options
    this.#lastAt = Math.max(this.#lastAt, clock.now() + drawDelayMs())
    this.#underWay.push({ bytes, at: this.#lastAt })
    if (!this.#cancelDelivery) this.#deliverNext()
    return true
  }

  /** Breaks it for both ends. What is under way is lost. */
  close(): void {
    if (!this.#isOpen) return
    this.#isOpen = false
    this.#cancelDelivery?.()
    this.#cancelBreak?.()
    this.#options.onOver()
    this.#options.ends.onClosed()
  }

  /** The network was cut somewhere, or healed. */
  noticeCut(): void {
    const { clock, breakAfterMs, isCut } = this.#options
    if (isCut()) {
      this.#cancelBreak ??= clock.after(breakAfterMs, () => this.close())
      return
    }
    this.#cancelBreak?.()
    this.#cancelBreak = undefined
    if (!this.#cancelDelivery) this.#deliverNext()
  }

  #deliverNext(): void {
    const { clock, ends, isCut } = this.#options
    this.#cancelDelivery = undefined
    const next = this.#underWay[0]
    if (!next || !this.#isOpen || isCut()) return
    this.#cancelDelivery = clock.after(Math.max(0, next.at - clock.now()), () => {
      this.#cancelDelivery = undefined
      if (isCut()) return
      this.#underWay.shift()
      ends.onBytes(next.bytes)
      this.#deliverNext()
    })
  }
}
