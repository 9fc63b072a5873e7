import {
  AckPolicy,
  DeliverPolicy,
  jetstream,
  jetstreamManager,
  type JsMsg,
} from '@nats-io/jetstream'
import { nanos, type NatsConnection } from '@nats-io/transport-node'
import { BerthError } from '@berth/kernel'

export interface ReadLatestOptions {
  readonly stream: string
  /** Subject pattern within the stream. */
  readonly filter: string
  readonly timeoutMs: number
}

/** Messages of one round trip. */
const BATCH = 256

/**
 * Calls `on` with the last message of each subject there is now. Throws when the server does not
 * deliver them all in time; what was delivered until then was handed on.
 *
 * One short-lived consumer: nats-server 2.9 has no way to ask for many last values at once.
 */
export const readLatest = async (
  nc: NatsConnection,
  options: ReadLatestOptions,
  on: (message: JsMsg) => void,
): Promise<void> => {
  const { stream, timeoutMs } = options
  const jsm = await jetstreamManager(nc, { checkAPI: false, timeout: timeoutMs })
  const { name, num_pending } = await jsm.consumers.add(stream, {
    deliver_policy: DeliverPolicy.LastPerSubject,
    ack_policy: AckPolicy.None,
    filter_subject: options.filter,
    inactive_threshold: nanos(30_000),
    mem_storage: true,
  })
  try {
    const consumer = await jetstream(nc, { timeout: timeoutMs }).consumers.get(stream, name)
    for (let left = num_pending; left > 0;) {
      const before = left
      const batch = await consumer.fetch({
        max_messages: Math.min(left, BATCH),
        expires: Math.max(1000, timeoutMs),
      })
      for await (const message of batch) {
        on(message)
        // A message replaced meanwhile is not delivered: then the last one says so.
        left = message.info.pending === 0 ? 0 : left - 1
        if (left === 0) break
      }
      if (left === before)
        throw new BerthError(
          'BUS_UNAVAILABLE',
          `NATS did not deliver the last values: ${left} left.`,
        )
    }
  } finally {
    // It would leave by itself in 30 s.
    await jsm.consumers.delete(stream, name).catch(() => undefined)
  }
}
