import { describe, expect, it } from '@jest/globals'
import { ask, completed, createRig, pool, type Rig } from './testing/rig.ts'

const TOOK_MS = 1_000
const CLAIM = { tenant: 'liar', expectedTokensHint: 1_000_000_000 }

/** A pool of one slot that has served some requests, each in a second. */
const measured = async (): Promise<Rig> => {
  const rig = createRig()
  rig.joinHost('h1', [pool('p1', { slotsTotal: 1, contextLength: 0 })])
  rig.joinGateway(1, 'gw')
  rig.settleStore()
  rig.take(1)
  for (let n = 0; n < 20; n += 1) {
    rig.coordinator.onAcquire(1, ask(`done${n}`))
    const leases = rig.take(1).flatMap((told) => (told.kind === 'assigned' ? [told.leaseId] : []))
    await rig.pass(TOOK_MS, 'h1')
    const times = { firstTokenMs: TOOK_MS / 2, decodeMs: TOOK_MS / 2 }
    for (const leaseId of leases) rig.coordinator.onRelease(1, leaseId, { ...completed, ...times })
  }
  return rig
}

describe('a client that claims to need a billion tokens', () => {
  it('makes nobody else miss a deadline by its word', async () => {
    const rig = await measured()
    rig.coordinator.onAcquire(1, ask('claim', CLAIM))
    rig.take(1)
    rig.coordinator.onAcquire(1, ask('honest', { tenant: 'honest', deadlineMs: 30_000 }))
    expect(rig.take(1)).toMatchObject([{ kind: 'queued', jobId: 'honest' }])
  })

  it('makes nobody wait for longer than slots are usually held, as they are told', async () => {
    const rig = await measured()
    rig.coordinator.onAcquire(1, ask('claim', CLAIM))
    rig.take(1)
    rig.coordinator.onAcquire(1, ask('honest', { tenant: 'honest' }))
    const starts = rig.take(1).map((told) => (told.kind === 'queued' ? told.predictedStartMs : NaN))
    expect(starts).toHaveLength(1)
    expect(starts[0]).toBeLessThan(20 * TOOK_MS)
  })
})
