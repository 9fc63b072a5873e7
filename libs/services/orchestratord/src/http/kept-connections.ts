import type { RequestListener, Server, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { every, type Cancel, type Clock } from '@berth/kernel'

/** A client that goes on at once, as busy ones do, uses its connection again within this. */
const LINGER_MS = 500
const LOOK_EVERY_MS = 50

/** The connections of a server that clients keep for their next request. */
export interface KeptConnections {
  /** The app, watched. */
  readonly listener: RequestListener
  /**
   * From now on every answer says `Connection: close`, and a connection closes when it has been
   * idle for a moment. Closing it with the end of its answer would meet the client's next request.
   */
  letGo(): Cancel
}

/** Watches the connections of `server`, which is to call `listener`. */
export const watchConnections = (
  server: Server,
  app: RequestListener,
  clock: Clock,
): KeptConnections => {
  /** Undefined while a request is being answered. */
  const idleSinceMs = new Map<Socket, number | undefined>()
  const answers = new Set<ServerResponse>()
  let isLettingGo = false

  const sayClose = (res: ServerResponse) => {
    if (!res.headersSent) res.setHeader('Connection', 'close')
  }
  server.on('connection', (socket: Socket) => {
    idleSinceMs.set(socket, clock.now())
    socket.once('close', () => idleSinceMs.delete(socket))
  })
  return {
    listener: (req, res) => {
      const { socket } = req
      idleSinceMs.set(socket, undefined)
      answers.add(res)
      res.once('close', () => {
        answers.delete(res)
        if (idleSinceMs.has(socket)) idleSinceMs.set(socket, clock.now())
      })
      if (isLettingGo) sayClose(res)
      app(req, res)
    },
    letGo: () => {
      isLettingGo = true
      answers.forEach(sayClose)
      return every(clock, LOOK_EVERY_MS, () => {
        for (const [socket, sinceMs] of idleSinceMs)
          if (sinceMs !== undefined && clock.now() - sinceMs >= LINGER_MS) socket.destroy()
      })
    },
  }
}
