import type { NatsConnection } from '@nats-io/transport-node'
import { messageOf, sleep, type Cancel, type Clock } from '@berth/kernel'
import type { BusLog } from './bus-log.ts'
import type { Link } from './link.ts'
import { readLatest } from './read-latest.ts'
import type { Receive } from './receiver.ts'
import type { StreamSpec } from './streams.ts'
import { CONTENT_TYPE_HEADER } from './wire.ts'

export interface WatchOptions {
  readonly pattern: string
  /** Where last values are stored; without one the watch is live only. */
  readonly stream: StreamSpec | undefined
  readonly receive: Receive
  readonly clock: Clock
  readonly log: BusLog
}

const READ_TIMEOUT_MS = 5000
const RETRY_MS = 1000

/**
 * A live subscription, and after each connect one reading of the last values. The subscription
 * comes first, so nothing falls between the two; a subject heard live meanwhile has a newer value
 * than the one stored when the reading began, so the stored one is left out.
 */
export const watchLatest = (link: Link, options: WatchOptions): Cancel => {
  const stopped = new AbortController()
  let heard: Set<string> | undefined

  const detach = link.attach((nc) => {
    const subscription = nc.subscribe(options.pattern, {
      callback: (error, msg) => {
        if (error) return options.log.warn({ problem: messageOf(error) }, 'subscription failed')
        heard?.add(msg.subject)
        const contentType = msg.headers?.get(CONTENT_TYPE_HEADER) ?? ''
        options.receive(msg.subject, { contentType, bytes: msg.data })
      },
    })
    return () => {
      if (!subscription.isClosed()) subscription.unsubscribe()
    }
  })

  const readOnce = async (nc: NatsConnection, stream: StreamSpec, mine: Set<string>) => {
    const request = { stream: stream.name, filter: options.pattern, timeoutMs: READ_TIMEOUT_MS }
    await readLatest(nc, request, (message) => {
      if (heard !== mine || mine.has(message.subject)) return
      const contentType = message.headers?.get(CONTENT_TYPE_HEADER) ?? ''
      options.receive(message.subject, { contentType, bytes: message.data }, 'stored')
    })
  }

  const catchUp = async (nc: NatsConnection, stream: StreamSpec) => {
    const mine = new Set<string>()
    heard = mine
    // A later connect starts a reading of its own and ends this one.
    while (heard === mine && link.ready === nc && !stopped.signal.aborted) {
      try {
        await readOnce(nc, stream, mine)
        break
      } catch (error) {
        options.log.warn({ problem: messageOf(error) }, 'last values were not read')
        await sleep(options.clock, RETRY_MS, stopped.signal).catch(() => undefined)
      }
    }
    if (heard === mine) heard = undefined
  }

  const { stream } = options
  const unready = stream && link.onReady((nc) => void catchUp(nc, stream))
  return () => {
    stopped.abort()
    heard = undefined
    unready?.()
    detach()
  }
}
