import type { SimChannel } from './sim-channel.ts'
import type { SimNetwork } from './sim-network.ts'
import type { SimProcess } from './sim-process.ts'

/** One end of a connection. What is sent arrives whole and in order, or the connection breaks. */
export interface SimSocket {
  readonly peer: string
  /** False once this end is closed. */
  send(bytes: Uint8Array): boolean
  /** The peer learns of it behind what was sent. This end hears nothing more. */
  close(): void
}

/** What an end is called with; `onClosed` once, when the peer is gone. */
export interface SocketEnds {
  onBytes(bytes: Uint8Array): void
  onClosed(): void
}

/** Connections between processes, over the simulated network. */
export interface SimSockets {
  /** `address` is `node:port`. Ends with the process. */
  listen(process: SimProcess, address: string, accept: Accept): Disposable
  /** Where nobody listens the connection closes when that is found out. */
  connect(process: SimProcess, address: string, ends: SocketEnds): SimSocket
  /** Ends that are open, of all processes. */
  readonly open: number
}

export type Accept = (socket: SimSocket) => SocketEnds

/** When keepalive gives a silent peer up: a session's limit. */
const BREAK_AFTER_MS = 5_000
// Compared by identity: no message is one of these.
const SYN = new Uint8Array([1])
const FIN = new Uint8Array([2])

interface Listener {
  readonly process: SimProcess
  readonly accept: Accept
}

/** Sockets over one network. A killed process leaves its peers a closed connection each. */
export const createSimSockets = (network: SimNetwork): SimSockets => {
  const listeners = new Map<string, Listener>()
  const open = new Set<Side>()
  return {
    connect: (process, address, ends) =>
      connect({ network, open, find: () => listeners.get(address) }, { process, address, ends }),
    listen: (process, address, accept) => {
      const listener = { process, accept }
      listeners.set(address, listener)
      const close = () => {
        if (listeners.get(address) === listener) listeners.delete(address)
      }
      const stopWatching = process.onKill(close)
      return {
        [Symbol.dispose]: () => {
          stopWatching()
          close()
        },
      }
    },
    get open() {
      return open.size
    },
  }
}

/** One end: open until it is closed from here, or the peer is known to be gone. */
class Side implements SimSocket {
  readonly peer: string
  ends: SocketEnds | undefined
  readonly #open: Set<Side>
  readonly #out: () => SimChannel
  readonly #stopWatching: () => void

  constructor(process: SimProcess, options: SideOptions) {
    this.peer = options.peer
    this.#open = options.open
    this.#out = options.out
    this.#open.add(this)
    this.#stopWatching = process.onKill(() => this.close())
  }

  get isOpen(): boolean {
    return this.#open.has(this)
  }

  send(bytes: Uint8Array): boolean {
    return this.isOpen && this.#out().send(bytes)
  }

  close(): void {
    if (this.#shut()) this.#out().send(FIN)
  }

  lose(): void {
    if (this.#shut()) this.ends?.onClosed()
  }

  #shut(): boolean {
    this.#stopWatching()
    return this.#open.delete(this)
  }
}

interface SideOptions {
  readonly peer: string
  readonly open: Set<Side>
  out(): SimChannel
}

interface Wiring {
  readonly network: SimNetwork
  readonly open: Set<Side>
  find(): Listener | undefined
}

interface Wanted {
  readonly process: SimProcess
  readonly address: string
  readonly ends: SocketEnds
}

const connect = ({ network, open, find }: Wiring, wanted: Wanted): SimSocket => {
  const { process, address, ends } = wanted
  const from = process.node.name
  const to = address.slice(0, address.indexOf(':'))
  const client = new Side(process, { peer: address, open, out: () => up })
  client.ends = ends
  let server: Side | undefined

  const lose = (side: Side | undefined) => {
    side?.lose()
    up.close()
    down.close()
  }
  const accept = () => {
    const listener = find()
    if (!listener?.process.isAlive) return lose(client)
    server = new Side(listener.process, { peer: from, open, out: () => down })
    server.ends = listener.accept(server)
  }
  const arrive = (side: Side | undefined, bytes: Uint8Array) => {
    if (bytes === SYN) return accept()
    if (bytes === FIN) return lose(side)
    if (side?.isOpen) side.ends?.onBytes(bytes)
  }
  const channel = (a: string, b: string, side: () => Side | undefined): SimChannel =>
    network.channel(
      a,
      b,
      { onBytes: (bytes) => arrive(side(), bytes), onClosed: () => lose(side()) },
      BREAK_AFTER_MS,
    )
  const down: SimChannel = channel(to, from, () => client)
  const up: SimChannel = channel(from, to, () => server)
  up.send(SYN)
  return client
}
