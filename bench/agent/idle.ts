import { setTimeout as pause } from 'node:timers/promises'
import { benchPool, cpuSeconds, rssMb, startRig } from './agent-rig.ts'
import { quantile } from '../gateway/quantile.ts'

const POOLS = 8
const CALLS = 500

/** What an agent with eight engines takes when nobody asks anything, and how fast it answers. */
export const measureIdle = async (seconds: number) => {
  const ids = Array.from({ length: POOLS }, (_, n) => `p${n}`)
  await using rig = await startRig(ids.map((id) => benchPool(id)))
  for (const id of ids) await rig.poolIs(id, ({ ready }) => ready)
  await pause(5_000)
  const before = await cpuSeconds(rig.pid)
  await pause(seconds * 1_000)
  const cpu = (await cpuSeconds(rig.pid)) - before
  const idle = { pools: POOLS, seconds, cpu_percent: round((cpu / seconds) * 100) }
  const memory = { rss_mb: await rssMb(rig.pid) }

  const tookMs: number[] = []
  for (let call = 0; call < CALLS; call += 1) {
    const at = performance.now()
    await rig.client.ensureHealthy({ poolId: ids[call % POOLS]! })
    tookMs.push(performance.now() - at)
  }
  return {
    idle: { ...idle, ...memory },
    ensure_healthy: {
      calls: CALLS,
      p50_ms: round(quantile(tookMs, 0.5)),
      p95_ms: round(quantile(tookMs, 0.95)),
      max_ms: round(Math.max(...tookMs)),
    },
  }
}

const round = (value: number) => Math.round(value * 100) / 100
