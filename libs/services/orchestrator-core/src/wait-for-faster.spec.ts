import { describe, expect, it } from '@jest/globals'
import type { PoolId } from '@berth/kernel'
import { ask, completed, createRig, pool, type Rig } from './testing/rig.ts'

const FAST = 'fast' as PoolId
const TOOK_MS = [
  [FAST, 1_000],
  ['slow' as PoolId, 10_000],
] as const

const toldOf = (rig: Rig) =>
  rig
    .take(1)
    .flatMap((signal) =>
      signal.kind === 'assigned'
        ? [`${signal.jobId} ${signal.poolId}`]
        : signal.kind === 'queued'
          ? [`${signal.jobId} waits`]
          : [],
    )

const acquire = (rig: Rig, jobId: string, spec = {}) => {
  rig.coordinator.onAcquire(1, ask(jobId, spec))
  return rig
}

/** Gives a pool a job that only it may serve; the answer ends it after it took so long. */
const occupy = (rig: Rig, poolId: PoolId) => {
  acquire(rig, `of ${poolId} ${rig.events.length}`, { pinPoolId: poolId })
  rig.take(1)
  const lease = [...rig.coordinator.core.leases.byId.values()].find((it) => it.poolId === poolId)
  return (tookMs: number) => {
    const times = { firstTokenMs: 10, decodeMs: tookMs - 10 }
    rig.coordinator.onRelease(1, lease!.leaseId, { ...completed, ...times })
  }
}

/** A fast pool whose only slot is taken and a slow one with a free slot. Both have served. */
const busyRig = async () => {
  const rig = createRig()
  rig.joinHost('h1', [pool('fast'), pool('slow', { engine: 'llama.cpp' })])
  rig.joinGateway(1, 'gw')
  rig.take(1)
  for (const [poolId, tookMs] of TOOK_MS) {
    const end = occupy(rig, poolId)
    await rig.pass(tookMs, 'h1')
    end(tookMs)
  }
  return { rig, end: occupy(rig, FAST) }
}

describe('a job for which only a slow pool has a free slot', () => {
  it('[004-06a] waits for the fast one, and those behind it for which that pays do too', async () => {
    const { rig, end } = await busyRig()
    acquire(acquire(rig, 'j1'), 'j2')
    expect(toldOf(rig)).toEqual(['j1 waits', 'j2 waits'])
    end(1_000)
    expect(toldOf(rig)).toContain('j1 fast')
  })

  it('is passed by one that has so many ahead that the slow slot serves it first', async () => {
    const { rig } = await busyRig()
    const jobs = Array.from({ length: 12 }, (_, n) => `j${n}`)
    for (const jobId of jobs) acquire(rig, jobId)
    const granted = toldOf(rig).filter((told) => told.endsWith('slow'))
    expect(granted).toHaveLength(1)
    expect(Number(granted[0]!.slice(1, 3))).toBeGreaterThan(5)
  })

  it('takes it when the fast one would keep it waiting for 10 s', async () => {
    const { rig } = await busyRig()
    acquire(rig, 'j1')
    await rig.pass(8_800, 'h1')
    expect(toldOf(rig)).toEqual(['j1 waits'])
    await rig.pass(600, 'h1')
    expect(toldOf(rig)).toEqual(['j1 slow'])
  })

  it('takes it before its own time is half over', async () => {
    const { rig } = await busyRig()
    acquire(rig, 'j1', { maxWaitMs: 4_000 })
    await rig.pass(2_400, 'h1')
    expect(toldOf(rig)).toEqual(['j1 waits', 'j1 slow'])
  })
})
