import { JobClass } from '@berth/contract'
import { BerthError, sleep } from '@berth/kernel'
import {
  createSessionClient,
  dispatch,
  type Caller,
  type DispatchSummary,
  type Session,
} from '@berth/orchestratord'
import { createSimProcess, type SimNode, type SimProcess } from './sim-process.ts'
import { openSimLink } from './sim-session.ts'
import { createSimUpstream } from './sim-upstream.ts'
import type { SimWorld } from './sim-world.ts'
import type { SimJob } from './workload.ts'

/** One life of an orchestratord, from its dispatcher down: the real one, without HTTP. */
export interface SimGateway {
  readonly process: SimProcess
  readonly session: Session
  /** Runs a job to its end, whatever that is. */
  run(job: SimJob, caller: Caller): Promise<DispatchSummary>
  kill(): void
  stop(): Promise<void>
}

const CORE_WAIT_MS = 10_000
const MAX_WAITING = 20_000
const DRAIN_TIMEOUT_MS = 20_000
const DRAIN_POLL_MS = 100

export const startSimGateway = (
  world: SimWorld,
  options: { readonly node: SimNode; readonly life: number; readonly cores: readonly string[] },
): SimGateway => {
  const { sockets, trace } = world
  const { node } = options
  const process = createSimProcess(world.clock, node)
  const { clock } = process
  const log = trace.loggerOf(node.name)
  const rng = world.fork()
  trace.add(node.name, 'gateway started')
  const session = createSessionClient({
    gatewayId: `${node.name}-${options.life}`,
    addresses: options.cores,
    openLink: (address) => openSimLink(sockets, process, address),
    defer: queueMicrotask,
    coreWaitMs: CORE_WAIT_MS,
    maxWaiting: MAX_WAITING,
    ...{ clock, rng, log },
    onState: () => undefined,
  })
  const ingress = createSimUpstream(sockets, process)
  const watched = world.books.watch(session, process)
  const cutOff = new AbortController()
  const running = new Map<Caller, AbortController>()
  const endAll = (why: Error) => {
    for (const gone of running.values()) gone.abort(why)
  }
  // Node keeps a signal of AbortSignal.any, and with it this world, while anything listens to it,
  // and what was killed listens for ever.
  world.over.signal.addEventListener('abort', () => endAll(new Error('the run is over')))
  return {
    process,
    session,
    run: async (job, client) => {
      const gone = new AbortController()
      const leave = () => gone.abort(client.gone.reason)
      client.gone.addEventListener('abort', leave, { once: true })
      if (client.gone.aborted) leave()
      const caller = { ...untilCutOff(client, cutOff.signal), gone: gone.signal }
      running.set(caller, gone)
      try {
        return await dispatch(
          { session: watched, ingress, clock, rng, log, onRetry: () => undefined },
          { ...requestOf(job), arrivedAtMs: clock.now() },
          caller,
        )
      } finally {
        running.delete(caller)
        client.gone.removeEventListener('abort', leave)
      }
    },
    kill: () => {
      trace.add(node.name, 'gateway killed')
      process.kill()
    },
    stop: async () => {
      trace.add(node.name, 'gateway stops')
      const deadline = clock.now() + DRAIN_TIMEOUT_MS
      while (running.size > 0 && clock.now() < deadline) await sleep(clock, DRAIN_POLL_MS)
      // As the HTTP edge does with those that are still there.
      for (const caller of running.keys()) caller.fail(new BerthError('WORKER_RESET', 'Stopped.'))
      const why = new Error('the gateway stops')
      cutOff.abort(why)
      endAll(why)
      await session[Symbol.asyncDispose]()
    },
  }
}

/** Cut off, it takes no more: as a response that was destroyed. */
const untilCutOff = (client: Caller, signal: AbortSignal): Caller => ({
  ...client,
  answer: (head) => signal.aborted || client.answer(head),
  write: (chunk) => (signal.aborted ? Promise.reject(signal.reason as Error) : client.write(chunk)),
  end: () => signal.aborted || client.end(),
  fail: (error) => signal.aborted || client.fail(error),
})

const requestOf = (job: SimJob) => ({
  job: {
    modelId: job.modelId,
    route: PATH,
    class: job.isBatch ? JobClass.BATCH : JobClass.INTERACTIVE,
    maxTokens: job.pieces,
    promptTokens: 1,
    keyId: job.keyId,
    tenant: job.keyId,
    sessionId: job.sessionId,
    stream: true,
    maxWaitMs: job.maxWaitMs,
    correlationId: job.jobId,
  },
  maxWaitMs: job.maxWaitMs,
  path: PATH,
  headers: {},
  body: new TextEncoder().encode(
    JSON.stringify({ pieces: job.pieces, pieceMs: job.pieceMs, firstMs: job.firstMs }),
  ),
})

const PATH = '/v1/chat/completions'
