import { AckPolicy, DeliverPolicy, jetstreamManager } from '@nats-io/jetstream'
import { connect, nanos, type NatsConnection } from '@nats-io/transport-node'
import { messageOf, type Clock } from '@berth/kernel'
import { BUCKETS } from './bucket.ts'
import { connectionOptions, type BusCredentials } from './connection-options.ts'
import { STREAMS } from './streams.ts'

/** What one look at NATS found. Nothing is made there that outlives the look. */
export type NatsLook =
  | { readonly isReachable: false; readonly problem: string }
  | {
      readonly isReachable: true
      readonly version: string
      /** Why there is no JetStream; absent where there is. */
      readonly jetStreamProblem?: string
      /** Of this machine's wall clock before the server's. Absent: nobody made a stream yet. */
      readonly aheadMs?: number
      /** What the core that leads wrote of itself. Absent: none leads. */
      readonly leader?: string
    }

/** Where to look, as whom, and for how long at each step. */
export interface NatsLookOptions {
  readonly url: string
  readonly credentials?: BusCredentials
  readonly timeoutMs: number
  readonly clock: Clock
}

/** Connects once, asks, and leaves. Never throws. */
export const lookAtNats = async (options: NatsLookOptions): Promise<NatsLook> => {
  let nc: NatsConnection
  try {
    nc = await connect({
      ...connectionOptions({ ...options, name: 'berth check' }),
      ...{ reconnect: false, ignoreAuthErrorAbort: false, timeout: options.timeoutMs },
    })
  } catch (error) {
    return { isReachable: false, problem: messageOf(error) }
  }
  try {
    const version = nc.info?.version ?? 'unknown'
    return { isReachable: true, version, ...(await lookAtJetStream(nc, options)) }
  } catch (error) {
    return { isReachable: false, problem: messageOf(error) }
  } finally {
    await nc.close()
  }
}

type JetStreamLook = Omit<Extract<NatsLook, { isReachable: true }>, 'isReachable' | 'version'>

const lookAtJetStream = async (
  nc: NatsConnection,
  { timeoutMs: timeout, clock }: NatsLookOptions,
): Promise<JetStreamLook> => {
  try {
    const jsm = await jetstreamManager(nc, { timeout })
    const names = new Set(await jsm.streams.names().next())
    const aheadMs = names.has(STREAMS[0].name) ? await aheadOf(nc, { timeout, clock }) : undefined
    const leader = names.has(LEADER) ? await leaderOf(nc, timeout) : undefined
    return {
      ...(aheadMs === undefined ? {} : { aheadMs }),
      ...(leader === undefined ? {} : { leader }),
    }
  } catch (error) {
    return { jetStreamProblem: messageOf(error) }
  }
}

/** The server dates a consumer; half of the way there and back is taken for the way. */
const aheadOf = async (
  nc: NatsConnection,
  { timeout, clock }: { readonly timeout: number; readonly clock: Clock },
): Promise<number> => {
  const jsm = await jetstreamManager(nc, { checkAPI: false, timeout })
  const stream = STREAMS[0].name
  const sentAt = clock.wall()
  const { name, created } = await jsm.consumers.add(stream, {
    deliver_policy: DeliverPolicy.New,
    ack_policy: AckPolicy.None,
    inactive_threshold: nanos(5_000),
    mem_storage: true,
  })
  const here = (sentAt + clock.wall()) / 2
  // It would leave by itself in 5 s.
  await jsm.consumers.delete(stream, name).catch(() => undefined)
  return Math.round(here - Date.parse(created))
}

const LEADER = `KV_${BUCKETS.leader.name}`

/** The key leaves with its TTL, so that what is there was written by a core that lives. */
const leaderOf = async (nc: NatsConnection, timeout: number): Promise<string | undefined> => {
  const jsm = await jetstreamManager(nc, { checkAPI: false, timeout })
  const last = await jsm.streams.getMessage(LEADER, {
    last_by_subj: `$KV.${BUCKETS.leader.name}.>`,
  })
  const text = last ? new TextDecoder().decode(last.data) : ''
  return text === '' ? undefined : text
}
