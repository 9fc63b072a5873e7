import { startBareEngine, type BareEngine } from '@berth/test-conformance/bare-engine'
import type { BenchedEngine } from './benched-engines.ts'
import { percentile } from './percentile.ts'

/** Milliseconds of one check (all probes of the driver), of an engine that is idle, and that is not. */
export const measureHealth = async (engine: BenchedEngine, probes: number) => {
  await using running = await startBareEngine(engine.spec)
  await running.untilReady()
  const idle = await checks(running, probes)
  const leaving = new AbortController()
  const work = [1, 2].map(() => keepBusy(running, leaving.signal))
  const busy = await checks(running, probes)
  leaving.abort()
  await Promise.all(work)
  return [rowOf(engine.name, 'idle', idle), rowOf(engine.name, 'two streams', busy)]
}

const checks = async (engine: BareEngine, count: number): Promise<number[]> => {
  const took: number[] = []
  for (let at = 0; at < count; at++) {
    const began = performance.now()
    const results = await engine.probeAll()
    took.push(performance.now() - began)
    if (!results.every(({ verdict }) => verdict === 'healthy' || verdict === 'degraded'))
      throw new Error(`A check failed: ${JSON.stringify(results)}`)
  }
  return took
}

const keepBusy = async (engine: BareEngine, signal: AbortSignal): Promise<void> => {
  const messages = [{ role: 'user', content: 'Hello' }]
  const body = { model: 'berth-tiny', messages, stream: true, ignore_eos: true, max_tokens: 3_000 }
  while (!signal.aborted) {
    // It ends by being aborted.
    await engine
      .post('/v1/chat/completions', body, signal)
      .then((answer) => answer.text())
      .catch(() => '')
  }
}

const rowOf = (engine: string, state: string, took: readonly number[]) => ({
  ...{ engine, state, checks: took.length },
  p50_ms: round(percentile(took, 50)),
  p99_ms: round(percentile(took, 99)),
  most_ms: round(Math.max(...took)),
})

const round = (ms: number) => Math.round(ms * 10) / 10
