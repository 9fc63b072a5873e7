import { describe, expect, it } from '@jest/globals'
import { seededRng } from '@berth/kernel'
import { createSimClock } from '@berth/kernel/testing'
import { CALM, createSimNetwork, type LinkFaults } from './sim-network.ts'

const setUp = (seed = 1) => {
  const clock = createSimClock()
  return { clock, network: createSimNetwork({ clock, rng: seededRng(seed) }) }
}

const STORM: LinkFaults = {
  minDelayMs: 1,
  maxDelayMs: 20,
  lossRate: 0.2,
  duplicateRate: 0.2,
  reorderRate: 0.2,
}

const sendHundred = async (seed: number, faults: LinkFaults) => {
  const { clock, network } = setUp(seed)
  network.setFaults(faults)
  const got: number[] = []
  for (let i = 0; i < 100; i++) network.datagram('a', 'b', () => got.push(i))
  await clock.advance(10_000)
  return { got, clock }
}

describe('datagrams of the simulated network', () => {
  it('arrive once and in order when the network is calm', async () => {
    const { got } = await sendHundred(1, CALM)
    expect(got).toEqual(Array.from({ length: 100 }, (_, i) => i))
  })

  it('are lost, repeated and overtaken as the faults say', async () => {
    const { got, clock } = await sendHundred(3, STORM)
    const distinct = new Set(got)
    expect(distinct.size).toBeLessThan(95)
    expect(distinct.size).toBeGreaterThan(60)
    expect(got.length).toBeGreaterThan(distinct.size)
    expect(got.some((value, i) => i > 0 && value < got[i - 1]!)).toBe(true)
    expect(clock.pending()).toBe(0)
  })

  it('repeat the same storm for the same seed and another for another', async () => {
    const first = await sendHundred(5, STORM)
    expect((await sendHundred(5, STORM)).got).toEqual(first.got)
    expect((await sendHundred(6, STORM)).got).not.toEqual(first.got)
  })

  it('do not cross a partition, in either direction, until it heals', async () => {
    const { clock, network } = setUp()
    const got: string[] = []
    network.partition('a', 'b')
    network.datagram('a', 'b', () => got.push('a>b'))
    network.datagram('b', 'a', () => got.push('b>a'))
    network.datagram('a', 'c', () => got.push('a>c'))
    await clock.advance(100)
    network.heal('b', 'a')
    network.datagram('a', 'b', () => got.push('healed'))
    await clock.advance(100)
    expect(got).toEqual(['a>c', 'healed'])
  })

  it('take the faults of their own link before those of all', async () => {
    const { clock, network } = setUp()
    network.setLink('a', 'b', { ...CALM, lossRate: 1 })
    const got: string[] = []
    network.datagram('a', 'b', () => got.push('a>b'))
    network.datagram('b', 'a', () => got.push('b>a'))
    await clock.advance(100)
    expect(got).toEqual(['b>a'])
  })
})

const openChannel = (seed = 1) => {
  const { clock, network } = setUp(seed)
  const got: number[] = []
  let closed = 0
  const channel = network.channel(
    'a',
    'b',
    { onBytes: (bytes) => got.push(bytes[0]!), onClosed: () => closed++ },
    5_000,
  )
  return { clock, network, channel, got, closed: () => closed }
}

describe('channels of the simulated network', () => {
  it('keep order and lose nothing in any storm', async () => {
    const { clock, network, channel, got } = openChannel(9)
    network.setFaults(STORM)
    for (let i = 0; i < 100; i++) channel.send(Uint8Array.of(i))
    await clock.advance(60_000)
    expect(got).toEqual(Array.from({ length: 100 }, (_, i) => i))
  })

  it('outlive a short partition and deliver what was sent during it', async () => {
    const { clock, network, channel, got, closed } = openChannel()
    network.partition('a', 'b')
    channel.send(Uint8Array.of(1))
    await clock.advance(4_999)
    expect(got).toEqual([])
    network.heal('a', 'b')
    await clock.advance(10)
    expect(got).toEqual([1])
    expect(closed()).toBe(0)
  })

  it('break when a partition outlasts keepalive, once, and then refuse to send', async () => {
    const { clock, network, channel, got, closed } = openChannel()
    network.partition('a', 'b')
    channel.send(Uint8Array.of(1))
    await clock.advance(5_000)
    network.heal('a', 'b')
    await clock.advance(1_000)
    channel.close()
    expect(got).toEqual([])
    expect(closed()).toBe(1)
    expect(channel.send(Uint8Array.of(2))).toBe(false)
    expect(clock.pending()).toBe(0)
  })

  it('lose what is under way when they are closed', async () => {
    const { clock, channel, got, closed } = openChannel()
    channel.send(Uint8Array.of(1))
    channel.close()
    await clock.advance(1_000)
    expect(got).toEqual([])
    expect(closed()).toBe(1)
    expect(clock.pending()).toBe(0)
  })
})
