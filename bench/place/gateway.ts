// A gateway process that does nothing but ask for slots: the gateway's own session client, at a
// constant rate. Writes what it measured as one line of JSON.
import { setTimeout as pause } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { LeaseOutcome } from '@berth/contract'
import { createSessionClient, openGrpcLink, type Session } from '@berth/orchestratord'
import { createSilentLogger, systemClock, systemRng } from '@berth/runtime'
import { quantile } from '../gateway/quantile.ts'
import { benchJob, TOKENS_IN } from './bench-job.ts'

/** What the parent reads. Milliseconds. */
export interface PlaceResult {
  readonly sent: number
  readonly answered: number
  readonly p50: number
  readonly p95: number
  readonly p99: number
  /** How late requests were sent, for the generator's own want of CPU. */
  readonly late_p99: number
}

const HOLD_MS = 20
const { values } = parseArgs({
  options: {
    core: { type: 'string', default: '' },
    rate: { type: 'string', default: '1000' },
    seconds: { type: 'string', default: '10' },
    'warm-up': { type: 'string', default: '3' },
  },
})
const rate = Number(values.rate)
const clock = systemClock()
const { promise: isUp, resolve: tellUp } = Promise.withResolvers<unknown>()
await using session = createSessionClient({
  gatewayId: `gw-bench-${process.pid}`,
  addresses: [values.core],
  openLink: openGrpcLink,
  defer: (fn) => void setImmediate(fn),
  coreWaitMs: 10_000,
  maxWaiting: 100_000,
  clock,
  rng: systemRng(),
  log: createSilentLogger(),
  onState: ({ kind }) => kind === 'up' && tellUp(undefined),
})
await isUp
await run(session, Number(values['warm-up']))
process.stdout.write(`${JSON.stringify(await run(session, Number(values.seconds)))}\n`)

/** Open loop: a request is sent when it is due, whatever became of those before it. */
async function run(to: Session, seconds: number): Promise<PlaceResult> {
  const total = rate * seconds
  const tookMs: number[] = []
  const lateMs: number[] = []
  const pending: Promise<void>[] = []
  const startMs = performance.now()
  while (pending.length < total) {
    const due = Math.min(total, Math.floor(((performance.now() - startMs) * rate) / 1_000))
    while (pending.length < due) {
      lateMs.push(performance.now() - startMs - (pending.length * 1_000) / rate)
      pending.push(place(to, pending.length, tookMs))
    }
    await pause(1)
  }
  await Promise.all(pending)
  return {
    sent: total,
    answered: tookMs.length,
    ...{ p50: quantile(tookMs, 0.5), p95: quantile(tookMs, 0.95), p99: quantile(tookMs, 0.99) },
    late_p99: quantile(lateMs, 0.99),
  }
}

/** One request: a slot, held for a moment and given back. Only what was granted at once counts. */
async function place(to: Session, n: number, tookMs: number[]): Promise<void> {
  let queuedTimes = 0
  const sentMs = performance.now()
  const answer = await to.acquire({
    jobId: crypto.randomUUID(),
    job: benchJob(n),
    arrivedAtMs: clock.now(),
    maxWaitMs: 10_000,
    excluded: [],
    attempt: 0,
    signal: new AbortController().signal,
    onQueued: () => (queuedTimes += 1),
  })
  if (answer.kind !== 'assigned') return
  if (queuedTimes === 0) tookMs.push(performance.now() - sentMs)
  await pause(HOLD_MS)
  to.release(answer.grant.leaseId, {
    outcome: LeaseOutcome.COMPLETED,
    ...{ tokensIn: TOKENS_IN, tokensOut: 64, firstTokenMs: 5, decodeMs: HOLD_MS - 5 },
  })
}
