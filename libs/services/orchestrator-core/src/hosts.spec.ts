import { describe, expect, it } from '@jest/globals'
import { createRig, pool } from './testing/rig.ts'

/** What is told when an earlier agent of h1 publishes after the present one did. */
const toldAfter = (epoch: number, grpcAddress: string) => {
  const rig = createRig()
  rig.joinHost('h1', [pool('p1')], { epoch: 5, grpcAddress: 'h1:7080', revision: 2 })
  rig.joinHost('h1', [pool('p1')], { epoch, grpcAddress, revision: 1 })
  return rig.events.filter(({ kind }) => kind === 'host_conflict')
}

describe('a host id that two agents use', () => {
  it('is told, with the address of the one that is ignored', () => {
    expect(toldAfter(4, 'h9:7080')).toEqual([
      { kind: 'host_conflict', hostId: 'h1', ignoredAddress: 'h9:7080' },
    ])
  })

  it.each([
    ['an earlier life at the same address', 4, 'h1:7080'],
    ['an earlier snapshot of the same life', 5, 'h1:7080'],
  ])('is not taken for %s', (_, epoch, address) => {
    expect(toldAfter(epoch, address)).toEqual([])
  })
})
