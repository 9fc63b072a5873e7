import { createReplaySet } from '@berth/lease'
import {
  checkLease,
  recordOutcome,
  type AgentIngress,
  type AgentMetrics,
  type Host,
  type Pool,
  type Refusal,
} from '@berth/pool-managerd'
import { decodeFrame, encodeFrame, type AnswerFrame, type AskFrame } from './http-frames.ts'
import type { SimEngine } from './sim-engine.ts'
import type { SimProcess } from './sim-process.ts'
import type { Accept, SimSocket } from './sim-sockets.ts'

export interface SimIngressOptions {
  readonly host: Host
  readonly process: SimProcess
  readonly metrics: AgentMetrics
  engineAt(port: number): SimEngine | undefined
  /** A request passed the door: its lease and the engine it goes to. */
  onTaken(taken: Taken): void
}

export interface Taken {
  readonly leaseId: string
  readonly term: number
  readonly engine: SimEngine
}

/** What the body of a simulated request asks of the engine. */
export interface Work {
  readonly pieces: number
  readonly pieceMs: number
  readonly firstMs: number
}

const REPLAYS_KEPT = 10_000
const FIRST_BYTE_TIMEOUT_MS = 30_000

/** The agent's door in a simulation: real lease and slot checks, virtual connections and engines. */
export const createSimIngress = (
  options: SimIngressOptions,
): { readonly ingress: AgentIngress; readonly accept: Accept } => {
  const { host } = options
  const { clock } = options.process
  const replays = createReplaySet({ capacity: REPLAYS_KEPT })
  let isDraining = false

  const take = (ask: AskFrame, socket: SimSocket): (() => void) => {
    const send = (frame: AnswerFrame) => socket.send(encodeFrame(frame))
    const refuse = (refusal: Refusal) => {
      send({ kind: 'head', status: 503, headers: { 'berth-refusal': refusal } })
      send({ kind: 'end', trailers: {} })
      return () => undefined
    }
    const nowMs = clock.wall()
    const check = checkLease(ask.headers['berth-lease'] ?? '', ask.path, {
      ...{ hostId: host.hostId, epoch: host.epoch, pools: host.pools, authority: host.authority },
      ...{ replays, isDraining, nowMs },
    })
    if (!check.ok) return refuse(check.refusal)
    const { pool, instance, claims } = check
    const { leaseId, modelId, term } = claims
    let abort: () => void = NOTHING
    let hasStreamed = false
    const flow = () => ({ isHeldBack: false, hasStreamed })
    const release = pool.slots.take({ leaseId, modelId, abort: () => abort(), flow })
    if (!release) return refuse('no_slot')
    const engine = options.engineAt(Number(new URL(instance.access.baseUrl).port))
    const onPiece = () => (hasStreamed = true)
    const context = { engine, pool, socket, release, onPiece, options }
    const work = JSON.parse(ask.body) as Work
    const stop = pass(context, work, () => void refuse('not_ready'))
    abort = stop
    if (engine && stop !== NOTHING) options.onTaken({ leaseId, term, engine })
    return stop
  }
  return {
    accept: (socket) => {
      let stop: () => void = NOTHING
      return {
        onBytes: (bytes) => (stop = take(decodeFrame<AskFrame>(bytes), socket)),
        onClosed: () => stop(),
      }
    },
    ingress: {
      port: 0,
      get isDraining() {
        return isDraining
      },
      drain: () => {
        isDraining = true
      },
      idle: async () => {
        const idle = ({ slots }: Pool) => new Promise<void>((resolve) => slots.whenIdle(resolve))
        await Promise.all([...host.pools.values()].map(idle))
      },
      [Symbol.asyncDispose]: async () => undefined,
    },
  }
}

const NOTHING = () => undefined

interface PassContext {
  readonly engine: SimEngine | undefined
  readonly pool: Pool
  readonly socket: SimSocket
  readonly release: () => void
  readonly onPiece: () => void
  readonly options: SimIngressOptions
}

/** Runs one request in the engine and its answer back. The result ends it whatever it does. */
const pass = (context: PassContext, work: Work, refuse: () => void): (() => void) => {
  const { engine, pool, socket, release, options } = context
  const { metrics, process } = options
  const { clock } = process
  const startedAt = clock.now()
  let firstByteMs: number | undefined
  let isOver = false
  const send = (frame: AnswerFrame) => socket.send(encodeFrame(frame))
  const finish = (kind: 'done' | 'broken' | 'cancelled' | 'silent') => {
    if (isOver) return
    isOver = true
    stopTimeout()
    stopWatching()
    stopEngine?.()
    const usage = { tokensIn: 1, tokensOut: work.pieces }
    const totalMs = clock.now() - startedAt
    const done = {
      status: 200,
      isStream: true,
      firstByteMs: firstByteMs ?? totalMs,
      totalMs,
      usage,
    }
    recordOutcome(pool, kind === 'done' ? { kind, ...done } : { kind }, metrics)
    if (kind === 'silent') {
      send({ kind: 'head', status: 504, headers: {} })
      send({ kind: 'end', trailers: {} })
    }
    if (kind === 'done') {
      send({ kind: 'end', trailers: { 'berth-usage': `in=1,out=${work.pieces}` } })
    }
    socket.close()
    release()
  }
  const stopEngine = engine?.generate({
    ...work,
    onPiece: (index) => {
      if (firstByteMs === undefined) {
        stopTimeout()
        firstByteMs = clock.now() - startedAt
        send({ kind: 'head', status: 200, headers: { 'content-type': 'text/event-stream' } })
      }
      const text = `data: ${index}\n\n`
      context.onPiece()
      pool.relayed(text.length)
      send({ kind: 'chunk', text })
    },
    onEnd: () => finish('done'),
    onBroken: () => finish('broken'),
  })
  const stopTimeout = stopEngine
    ? clock.after(FIRST_BYTE_TIMEOUT_MS, () => finish('silent'))
    : NOTHING
  // The engine outlives its agent, the connection between them does not.
  const stopWatching = process.onKill(() => stopEngine?.())
  if (stopEngine) return () => finish('cancelled')
  stopWatching()
  refuse()
  socket.close()
  release()
  return NOTHING
}
