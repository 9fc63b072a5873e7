import type { SimChannel, SimNetwork } from './sim-network.ts'
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

interface Side {
  readonly process: SimProcess
  ends: SocketEnds | undefined
  isOpen: boolean
  stopWatching: () => void
}

/** Sockets over one network. A killed process leaves its peers a closed connection each. */
export const createSimSockets = (network: SimNetwork): SimSockets => {
  const listeners = new Map<string, { readonly process: SimProcess; readonly accept: Accept }>()
  let open = 0

  const openSide = (process: SimProcess, ends: SocketEnds | undefined): Side => {
    open += 1
    return { process, ends, isOpen: true, stopWatching: () => undefined }
  }
  const shut = (side: Side) => {
    side.isOpen = false
    side.stopWatching()
    open -= 1
  }
  const socketOf = (side: Side, out: () => SimChannel, peer: string): SimSocket => {
    const close = () => {
      if (!side.isOpen) return
      shut(side)
      out().send(FIN)
    }
    side.stopWatching = side.process.onKill(close)
    return { peer, close, send: (bytes) => side.isOpen && out().send(bytes) }
  }

  const connect = (process: SimProcess, address: string, ends: SocketEnds): SimSocket => {
    const from = process.node.name
    const to = address.slice(0, address.indexOf(':'))
    const client = openSide(process, ends)
    let server: Side | undefined
    const closeAll = () => {
      up.close()
      down.close()
    }
    const lose = (side: Side | undefined) => {
      if (side?.isOpen) {
        shut(side)
        side.ends?.onClosed()
      }
      closeAll()
    }
    const accept = () => {
      const listener = listeners.get(address)
      if (!listener?.process.isAlive) return lose(client)
      server = openSide(listener.process, undefined)
      server.ends = listener.accept(socketOf(server, () => down, from))
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
    const socket = socketOf(client, () => up, address)
    up.send(SYN)
    return socket
  }

  return {
    connect,
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
      return open
    },
  }
}
