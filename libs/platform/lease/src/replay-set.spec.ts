import { describe, expect, it } from '@jest/globals'
import { createReplaySet } from './replay-set.ts'

describe('a replay set', () => {
  it('takes a lease once until it expires', () => {
    const set = createReplaySet({ capacity: 10 })
    expect(set.use('a', 1000, 0)).toBe(true)
    expect(set.use('a', 1000, 999)).toBe(false)
  })

  it('refuses new leases while it is full of leases in force', () => {
    const set = createReplaySet({ capacity: 2 })
    set.use('a', 1000, 0)
    set.use('b', 1000, 0)
    expect(set.use('c', 1000, 500)).toBe(false)
    expect(set.size).toBe(2)
  })

  it('makes room for new leases when old ones expire', () => {
    const set = createReplaySet({ capacity: 2 })
    set.use('a', 100, 0)
    set.use('b', 1000, 0)
    expect(set.use('c', 1000, 100)).toBe(true)
    expect(set.use('b', 1000, 101)).toBe(false)
    expect(set.size).toBe(2)
  })

  it('forgets expired leases though room is left', () => {
    const set = createReplaySet({ capacity: 1000 })
    for (let at = 0; at < 100; at++) set.use(`lease-${at}`, 5000, at)
    set.use('late', 20_000, 10_000)
    expect(set.size).toBe(1)
  })
})
