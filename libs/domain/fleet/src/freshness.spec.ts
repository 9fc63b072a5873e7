import { describe, expect, it } from '@jest/globals'
import type { HostId } from '@berth/kernel'
import { createFleetView } from './fleet-view.ts'
import { foldHeartbeat, foldSnapshot } from './fold-snapshot.ts'
import {
  DEFAULT_FRESHNESS,
  expireHosts,
  freezeAges,
  freshnessOf,
  thawAges,
  thawHost,
} from './freshness.ts'
import { hostSnapshot, poolSnapshot } from './testing/index.ts'

const HOST = 'h1' as HostId
const oneHost = () => {
  const view = createFleetView()
  foldSnapshot(view, hostSnapshot('h1', [poolSnapshot('p1')]), 0)
  return view
}

describe('ages of hosts', () => {
  it.each([
    [10_000, 'fresh'],
    [10_001, 'stale'],
  ])('a host silent for %d ms is %s', (now, expected) => {
    const view = oneHost()
    expect(freshnessOf(view, view.hosts.get(HOST)!, DEFAULT_FRESHNESS, now)).toBe(expected)
  })

  it('a host silent for more than 30 s leaves with its pools', () => {
    const view = oneHost()
    expect(expireHosts(view, DEFAULT_FRESHNESS, 30_000)).toEqual([])
    expect(expireHosts(view, DEFAULT_FRESHNESS, 30_001)).toEqual([
      { hostId: 'h1', poolIds: ['p1'] },
    ])
    expect(view.hosts.size + view.pools.size + view.poolsOfModel.size).toBe(0)
  })

  it('stand still while frozen and go on from there', () => {
    const view = oneHost()
    freezeAges(view, 6_000)
    expect(freshnessOf(view, view.hosts.get(HOST)!, DEFAULT_FRESHNESS, 600_000)).toBe('fresh')
    expect(expireHosts(view, DEFAULT_FRESHNESS, 600_000)).toEqual([])
    thawAges(view, 600_000)
    expect(freshnessOf(view, view.hosts.get(HOST)!, DEFAULT_FRESHNESS, 604_000)).toBe('fresh')
    expect(freshnessOf(view, view.hosts.get(HOST)!, DEFAULT_FRESHNESS, 604_001)).toBe('stale')
  })

  it('go on for a host that does not answer, and stand still again when it does', () => {
    const view = oneHost()
    const host = view.hosts.get(HOST)!
    freezeAges(view, 6_000)
    thawHost(view, HOST, 100_000)
    expect(freshnessOf(view, host, DEFAULT_FRESHNESS, 104_000)).toBe('fresh')
    expect(freshnessOf(view, host, DEFAULT_FRESHNESS, 104_001)).toBe('stale')
    foldHeartbeat(view, host.snapshot, 110_000)
    expect(freshnessOf(view, host, DEFAULT_FRESHNESS, 900_000)).toBe('fresh')
  })

  it('do not make a host fresh that is only known from a store', () => {
    const view = createFleetView()
    const stored = hostSnapshot('h1', [])
    foldSnapshot(view, stored, 0, 'stored')
    const host = view.hosts.get(HOST)!
    expect(freshnessOf(view, host, DEFAULT_FRESHNESS, 0)).toBe('stale')
    foldSnapshot(view, stored, 20_000, 'stored')
    expect(expireHosts(view, DEFAULT_FRESHNESS, 20_000)).toEqual([])
    foldHeartbeat(view, stored, 20_000)
    expect(freshnessOf(view, host, DEFAULT_FRESHNESS, 30_000)).toBe('fresh')
    foldSnapshot(view, stored, 35_000, 'stored')
    expect(freshnessOf(view, host, DEFAULT_FRESHNESS, 35_000)).toBe('stale')
  })

  it('of a host heard of while frozen do not begin in the future', () => {
    const view = oneHost()
    freezeAges(view, 1_000)
    foldSnapshot(view, hostSnapshot('h1', [], { revision: 2 }), 50_000)
    thawAges(view, 60_000)
    expect(view.hosts.get(HOST)?.heardAtMs).toBe(60_000)
  })
})
