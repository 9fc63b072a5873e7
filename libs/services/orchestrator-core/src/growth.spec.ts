import { describe, expect, it } from '@jest/globals'
import { DEFAULT_SESSION_POLICY } from '@berth/admission'
import { ask, completed, createRig, pool, type Rig } from './testing/rig.ts'

const SESSIONS = 500
const MOST = 10

/** A leader that remembers few sessions. */
const ready = (): Rig => {
  const session = { ...DEFAULT_SESSION_POLICY, maxSessions: MOST }
  const rig = createRig({ session })
  rig.joinHost('h1', [pool('p1', { slotsTotal: 2 })])
  rig.joinGateway(1, 'gw')
  rig.settleStore()
  rig.take(1)
  return rig
}
const turn = (rig: Rig, sessionId: string) => {
  rig.coordinator.onAcquire(1, ask(`job-${sessionId}`, { tenant: 't', sessionId }))
  const leases = rig.take(1).flatMap((told) => (told.kind === 'assigned' ? [told.leaseId] : []))
  expect(leases).toHaveLength(1)
  for (const leaseId of leases) rig.coordinator.onRelease(1, leaseId, completed)
}
/** What the ledger holds by the name of a session. */
const held = ({ coordinator }: Rig) => {
  const { sessions, dirty, revisions } = coordinator.core.ledger
  return Math.max(sessions.size, dirty.size, revisions.size)
}

describe('what clients name', () => {
  it('leaves nothing behind of sessions that are over', () => {
    const rig = ready()
    for (let n = 0; n < SESSIONS; n += 1) {
      turn(rig, `s${n}`)
      rig.coordinator.storeLedger()
      rig.settleStore()
    }
    expect(held(rig)).toBeLessThanOrEqual(2 * MOST)
  })

  it('does not pile up to be stored while the store is down', () => {
    const rig = ready()
    turn(rig, 'stored')
    rig.coordinator.storeLedger()
    rig.settleStore()
    rig.store.isDown = true
    for (let n = 0; n < SESSIONS; n += 1) turn(rig, `s${n}`)
    expect(held(rig)).toBeLessThanOrEqual(2 * MOST)
    expect(rig.coordinator.core.ledger.dirty.has('sessions:t/stored')).toBe(true)
  })
})
