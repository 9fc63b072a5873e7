import type { MessageInitShape } from '@bufbuild/protobuf'
import {
  SchedulerService,
  type ClientFrame,
  type ClientFrameSchema,
  type HelloSchema,
  type ServerFrame,
} from '@berth/contract'
import { BerthError, sleep } from '@berth/kernel'
import { createClient } from '@berth/rpc'
import { systemClock } from '@berth/runtime'

type FrameCase = NonNullable<ServerFrame['frame']['case']>
type FrameOf<Case extends FrameCase> = Extract<ServerFrame['frame'], { case: Case }>['value']

type FrameInit = NonNullable<
  Exclude<MessageInitShape<typeof ClientFrameSchema>, ClientFrame>['frame']
>

/** The gateway's side of one session, for specs: it beats by itself and keeps what it is told. */
export interface GatewaySession extends AsyncDisposable {
  send(frame: FrameInit): void
  acquire(jobId: string, draft?: { readonly modelId?: string; readonly maxWaitMs?: number }): void
  /** The first frame of that case that was not taken yet; fails after 10 s. */
  next<Case extends FrameCase>(wanted: Case): Promise<FrameOf<Case>>
  /** Frames of that case that were not taken yet. */
  count(unwanted: FrameCase): number
  /** Resolves when the stream is over. */
  readonly ended: Promise<void>
  /** Breaks off without a word, as a gateway that dies. */
  lose(): void
}

const DEADLINE_MS = 10_000
const clock = systemClock()

/** Opens a stream and says Hello. */
export const openSession = (
  address: string,
  hello: MessageInitShape<typeof HelloSchema>,
): GatewaySession => {
  const client = createClient(SchedulerService, { address, defaultDeadlineMs: 5_000 })
  const stream = client.session()
  const frames: ServerFrame['frame'][] = []
  const read = async () => {
    for await (const message of stream.messages) {
      frames.push(...message.frames.map(({ frame }) => frame))
    }
  }
  // How it ends is the spec's business; that it ends is all it waits for.
  const ended = read().catch(() => undefined)
  const send: GatewaySession['send'] = (frame) => {
    stream.send({ frames: [{ frame }] })
  }
  const take = (wanted: FrameCase) => {
    const at = frames.findIndex((frame) => frame.case === wanted)
    return at < 0 ? undefined : frames.splice(at, 1)[0]!.value
  }
  const beat = setInterval(() => send({ case: 'heartbeat', value: {} }), 1_000)
  send({ case: 'hello', value: { session: 1n, ...hello } })
  return {
    send,
    ended,
    acquire: (jobId, { modelId = 'm', maxWaitMs = 0 } = {}) => {
      const job = { modelId, maxWaitMs, route: '/v1/chat/completions', maxTokens: 10 }
      send({ case: 'acquire', value: { jobId, job } })
    },
    next: async <Case extends FrameCase>(wanted: Case) => {
      for (const until = clock.now() + DEADLINE_MS; clock.now() < until;) {
        const value = take(wanted)
        if (value) return value as FrameOf<Case>
        await sleep(clock, 10)
      }
      const got = JSON.stringify(frames.map((frame) => frame.case))
      throw new Error(`no ${wanted} within ${DEADLINE_MS} ms; untaken: ${got}`)
    },
    count: (unwanted) => frames.filter((frame) => frame.case === unwanted).length,
    lose: () => {
      clearInterval(beat)
      stream.destroy(new BerthError('CANCELLED', 'The gateway is gone.'))
      client[Symbol.dispose]()
    },
    [Symbol.asyncDispose]: async () => {
      clearInterval(beat)
      // What was sent still arrives; a stream that does not end is cut with its client.
      stream.end()
      const cut = clock.after(2_000, () => client[Symbol.dispose]())
      await ended
      cut()
      client[Symbol.dispose]()
    },
  }
}
