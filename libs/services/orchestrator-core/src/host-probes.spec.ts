import { describe, expect, it } from '@jest/globals'
import { create } from '@bufbuild/protobuf'
import { HostSnapshotSchema } from '@berth/contract'
import { BerthError, type HostId } from '@berth/kernel'
import { createSilentLogger } from '@berth/runtime'
import { startHostProbes, type ReadHost } from './host-probes.ts'
import { ask, createRig, pool } from './testing/rig.ts'

const H1 = 'h1' as HostId
const answer = (hostId: string, facts: { revision?: bigint; term?: bigint } = {}) =>
  create(HostSnapshotSchema, { hostId, epoch: 1n, revision: 1n, grpcAddress: 'h1:7080', ...facts })

/** A leader with the host h1, cut off from the bus; agents answer with `readHost`. */
const cutOff = (readHost: ReadHost, isLeader = true) => {
  const rig = createRig({}, isLeader)
  rig.joinHost('h1', [pool('p1')])
  let isConnected = false
  const asked: string[] = []
  const probes = startHostProbes({
    ...{ clock: rig.clock, coordinator: rig.coordinator, log: createSilentLogger() },
    isBusConnected: () => isConnected,
    readHost: (address, signal) => {
      asked.push(address)
      return readHost(address, signal)
    },
  })
  rig.coordinator.onBusStatus(false)
  const reconnect = () => {
    isConnected = true
    rig.coordinator.onBusStatus(true)
  }
  return { rig, probes, asked, reconnect, hosts: rig.coordinator.core.view.hosts }
}
const nobody: ReadHost = () => Promise.reject(new BerthError('RPC_UNAVAILABLE', 'Nobody answers.'))

describe('probes of hosts', () => {
  it('keep a host that answers, each 2 s, for as long as the bus is down, and end with it', async () => {
    const { rig, probes, asked, reconnect, hosts } = cutOff(async () => answer('h1'))
    await rig.pass(60_000)
    expect(hosts.has(H1)).toBe(true)
    expect(asked).toHaveLength(30)
    expect(asked[0]).toBe('h1:7080')
    reconnect()
    await rig.pass(10_000)
    expect(asked).toHaveLength(30)
    await probes[Symbol.asyncDispose]()
  })

  it('let a host that does not answer go stale and then offline, counted from the first silence', async () => {
    const { rig, probes, hosts } = cutOff(nobody)
    rig.joinGateway(1, 'gw')
    rig.take(1)
    await rig.pass(12_200)
    rig.coordinator.onAcquire(1, ask('j1'))
    expect(rig.take(1)).toMatchObject([{ kind: 'queued', reason: 'POOL_UNREADY' }])
    expect(hosts.has(H1)).toBe(true)
    await rig.pass(20_000)
    expect(hosts.has(H1)).toBe(false)
    await probes[Symbol.asyncDispose]()
  })

  it('bring what changed on a host meanwhile', async () => {
    const { rig, probes, hosts } = cutOff(async () => answer('h1', { revision: 7n }))
    await rig.pass(2_200)
    expect(hosts.get(H1)?.snapshot).toMatchObject({ revision: 7, pools: [] })
    await probes[Symbol.asyncDispose]()
  })

  it('take the answer of another host at that address for silence', async () => {
    const { rig, probes, hosts } = cutOff(async () => answer('h2'))
    await rig.pass(32_200)
    expect(hosts.size).toBe(0)
    await probes[Symbol.asyncDispose]()
  })

  it('tell a leader that somebody else leads', async () => {
    const { rig, probes } = cutOff(async () => answer('h1', { revision: 2n, term: 9n }))
    await rig.pass(2_200)
    expect(rig.resigned).toEqual([9])
    await probes[Symbol.asyncDispose]()
  })

  it('wait for an answer before the host is asked again', async () => {
    const { rig, probes, asked } = cutOff(
      (_, signal) =>
        new Promise((__, reject) =>
          signal.addEventListener('abort', () => reject(signal.reason as Error)),
        ),
    )
    await rig.pass(20_000)
    expect(asked).toHaveLength(1)
    await probes[Symbol.asyncDispose]()
  })

  it('are not the business of a standby', async () => {
    const { rig, probes, asked } = cutOff(nobody, false)
    await rig.pass(10_000)
    expect(asked).toEqual([])
    await probes[Symbol.asyncDispose]()
  })
})
