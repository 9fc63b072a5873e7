import { describe, expect, it } from '@jest/globals'
import { ask, createRig, pool, type Rig } from './testing/rig.ts'

type Draft = NonNullable<Parameters<typeof pool>[1]>

const stopped: Draft = { state: 'stopped', isReady: false, loadsOnDemand: true }

const rigOf = (...drafts: readonly (readonly [string, Draft])[]): Rig => {
  const rig = createRig()
  join(rig, 1, ...drafts)
  rig.joinGateway(1, 'gw')
  return rig
}
const join = (rig: Rig, revision: number, ...drafts: readonly (readonly [string, Draft])[]) =>
  rig.joinHost(
    'h1',
    drafts.map(([id, draft]) => withModelOnDisk(pool(id, draft))),
    { revision },
  )
const withModelOnDisk = (snapshot: ReturnType<typeof pool>) => ({
  ...snapshot,
  models: snapshot.models.map((model) => ({
    ...model,
    residency: snapshot.isReady ? ('resident' as const) : ('on_disk' as const),
  })),
})
const acquire = (rig: Rig, id: string) => rig.coordinator.onAcquire(1, ask(id))

describe('a request for a model that nobody has', () => {
  it('[003-FR-022] starts a pool that loads on demand, and goes there once it serves', () => {
    const rig = rigOf(['p1', stopped])
    acquire(rig, 'first')
    expect(rig.started).toEqual(['p1'])
    join(rig, 2, ['p1', {}])
    expect(rig.take(1).at(-1)).toMatchObject({ kind: 'assigned', jobId: 'first' })
  })

  it('starts it once for all who wait, and again when nothing came of it', async () => {
    const rig = rigOf(['p1', stopped])
    acquire(rig, 'first')
    acquire(rig, 'second')
    await rig.pass(9_800, 'h1')
    expect(rig.started).toEqual(['p1'])
    await rig.pass(400, 'h1')
    expect(rig.started).toEqual(['p1', 'p1'])
  })

  it('starts one pool of several, the one with most memory', () => {
    const rig = rigOf(
      ['small', { ...stopped, vramFreeBytes: 1 }],
      ['big', { ...stopped, vramFreeBytes: 2 }],
    )
    acquire(rig, 'first')
    acquire(rig, 'second')
    expect(rig.started).toEqual(['big'])
  })

  it.each([
    ['is stopped by command or loads by command only', { loadsOnDemand: false }],
    ['has failed', { state: 'failed' as const }],
  ])('leaves a pool alone that %s', (_what, more) => {
    const rig = rigOf(['p1', { ...stopped, ...more }])
    acquire(rig, 'first')
    expect(rig.started).toEqual([])
  })

  it('starts nothing while another pool has the model, or is about to', () => {
    for (const state of ['ready', 'starting', 'backoff'] as const) {
      const rig = rigOf(
        ['busy', { state, isReady: state === 'ready', slotsTotal: 0 }],
        ['p1', stopped],
      )
      acquire(rig, 'first')
      expect(rig.started).toEqual([])
    }
  })

  it('starts nothing for a job that was refused, or on a standby', () => {
    const rig = rigOf(['p1', stopped])
    rig.coordinator.onAcquire(1, ask('first', { modelId: 'other' as never }))
    expect(rig.started).toEqual([])
    acquire(rig, 'second')
    rig.coordinator.onFollowing(2, '')
    expect(rig.started).toHaveLength(1)
  })
})
