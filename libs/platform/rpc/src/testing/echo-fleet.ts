import { durationFromMs } from '@bufbuild/protobuf/wkt'
import { systemClock } from '@berth/runtime'
import { sleep, type BerthError, type Clock, type Reason } from '@berth/kernel'
import { createClient, type Client } from '../client.ts'
import { implement, type Handlers } from '../implement.ts'
import type { RpcLog } from '../rpc-log.ts'
import { serveRpc, type RpcServer } from '../serve.ts'
import { EchoService } from './gen/echo_pb.ts'

/** A line that was logged: its level, bindings and facts together, and the message. */
export interface LogLine {
  readonly level: 'debug' | 'info' | 'warn' | 'error'
  readonly facts: Readonly<Record<string, unknown>>
  readonly message: string
}

/** A log that keeps its lines. */
export const recordLog = (
  lines: LogLine[] = [],
  bindings: Record<string, unknown> = {},
): RpcLog & { readonly lines: LogLine[] } => {
  const write = (level: LogLine['level']) => (facts: object, message: string) => {
    lines.push({ level, facts: { ...bindings, ...facts }, message })
  }
  return {
    lines,
    debug: write('debug'),
    info: write('info'),
    warn: write('warn'),
    error: write('error'),
    child: (more) => recordLog(lines, { ...bindings, ...more }),
  }
}

/** A real server and a real client of it, on a free port. */
export interface EchoFleet extends AsyncDisposable {
  readonly server: RpcServer
  readonly client: Client<typeof EchoService> & Disposable
  readonly address: string
  readonly lines: LogLine[]
}

export interface EchoOptions {
  readonly handlers?: Partial<Handlers<typeof EchoService>>
  readonly drainTimeoutMs?: number
  readonly defaultDeadlineMs?: number
  readonly clock?: Clock
  readonly port?: number
}

export const startEchoFleet = async (options: EchoOptions = {}): Promise<EchoFleet> => {
  const log = recordLog()
  const clock = options.clock ?? systemClock()
  const server = await serveRpc({
    host: '127.0.0.1',
    port: options.port ?? 0,
    services: [implement(EchoService, { ...echo, ...options.handlers })],
    log,
    clock,
    drainTimeoutMs: options.drainTimeoutMs ?? 5_000,
  })
  const address = `127.0.0.1:${server.port}`
  const client = createClient(EchoService, {
    address,
    clock,
    defaultDeadlineMs: options.defaultDeadlineMs ?? 10_000,
  })
  return {
    server,
    client,
    address,
    lines: log.lines,
    [Symbol.asyncDispose]: async () => {
      client[Symbol.dispose]()
      await server[Symbol.asyncDispose]()
    },
  }
}

const echo: Handlers<typeof EchoService> = {
  say: async ({ text }, { correlationId, deadlineMs }) => ({
    text,
    correlationId,
    ...(deadlineMs !== undefined && { timeLeft: durationFromMs(Math.ceil(deadlineMs)) }),
  }),
  count: async function* ({ to }) {
    for (let value = 1; value <= to; value++) yield { value }
  },
  talk: async (stream) => {
    for await (const { text } of stream.messages) stream.send({ text })
  },
}

/**
 * Tries until `attempt` resolves to something other than undefined. The test's own timeout is the
 * deadline.
 */
export const eventually = async <T>(attempt: () => Promise<T | undefined>): Promise<T> => {
  for (;;) {
    const value = await attempt()
    if (value !== undefined) return value
    await sleep(systemClock(), 10)
  }
}

/** The reason a promise is rejected with; rejects when it is not rejected. */
export const reasonOf = (promise: Promise<unknown>): Promise<Reason> =>
  promise.then(
    () => Promise.reject(new Error('Nothing failed.')),
    (error: unknown) => (error as BerthError).reason,
  )
