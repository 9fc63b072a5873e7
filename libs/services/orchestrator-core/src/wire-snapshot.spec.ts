import { describe, expect, it } from '@jest/globals'
import { create, type MessageInitShape } from '@bufbuild/protobuf'
import { HostSnapshotSchema, PoolState, Residency, type PoolSchema } from '@berth/contract'
import { ask, createRig, type Rig } from './testing/rig.ts'
import { toHostSnapshot } from './wire-snapshot.ts'

type Pool = Extract<MessageInitShape<typeof PoolSchema>, { $typeName?: never }>

const dimensions = { layers: 32, kvHeads: 8, keyDim: 128, valueDim: 128, kvDtypeBytes: 2 }
const pool = (poolId: string, draft: Pool = {}): Pool => ({
  ...{ poolId, state: PoolState.READY, live: true, ready: true, slotsTotal: 1 },
  models: [{ modelId: 'm', residency: Residency.RESIDENT, dimensions }],
  supports: { routes: ['/v1/chat/completions'] },
  kvTotalBytes: 8_000_000_000n,
  ...draft,
})
const fast = { tokensPerS: 100, firstTokenMs: 10, samples: 9 }
/** A leader that heard one agent, as it published. */
const hearing = (...pools: Pool[]): Rig => {
  const rig = createRig()
  const wire = create(HostSnapshotSchema, { hostId: 'h1', epoch: 1n, revision: 1n, pools })
  rig.coordinator.onSnapshot(toHostSnapshot(wire), wire)
  rig.coordinator.onHostKeyed('h1' as never, 1, 1)
  rig.joinGateway(1, 'gw')
  rig.take(1)
  return rig
}
const poolFor = (rig: Rig) => {
  rig.coordinator.onAcquire(1, ask('j', { promptTokens: 100 }))
  return rig.take(1).flatMap((told) => (told.kind === 'assigned' ? [told.poolId] : []))
}

describe('a pool whose agent divided by nothing', () => {
  it.each([NaN, Infinity])('is served though its KV cache has numbers of %s bytes', (bytes) => {
    const odd = { ...dimensions, kvDtypeBytes: bytes }
    const models = [{ modelId: 'm', residency: Residency.RESIDENT, dimensions: odd }]
    expect(poolFor(hearing(pool('p', { models })))).toEqual(['p'])
  })

  it.each([NaN, -1e12])('does not win by a first token after %s ms', (firstTokenMs) => {
    const slow = { tokensPerS: 1, firstTokenMs, samples: 9 }
    const rig = hearing(pool('a', { performance: slow }), pool('b', { performance: fast }))
    expect(poolFor(rig)).toEqual(['b'])
  })

  it('does not spoil what is said of a model by one cell', () => {
    const cell = { modelId: 'm', promptBand: 0, occupancyBand: 0, samples: 50 }
    const cells = [{ ...cell, tokensPerS: Number.MIN_VALUE, firstTokenMs: NaN }]
    const rig = hearing(pool('a', { performance: { ...fast, cells } }))
    rig.coordinator.onAcquire(1, ask('j', { promptTokens: 100 }))
    expect(rig.take(1)).toMatchObject([{ kind: 'assigned', predictedEndMs: 112 }])
  })
})
