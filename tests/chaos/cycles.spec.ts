import { join } from 'node:path'
import { kill } from 'node:process'
import { connect } from 'node:net'
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals'
import { PoolManagerService, PoolState, type Pool } from '@berth/contract'
import { createClient } from '@berth/rpc'
import { simPool, startFleet, until, type Fleet } from '@berth/test-support'
import { enginesOf, filesIn, journalOf, openDescriptors } from './src/traces.ts'

/** A few in the gate, all of them with BERTH_FULL=1. */
const CYCLES = process.env['BERTH_FULL'] === '1' ? 200 : 20
/** One cycle on a machine that is busy. */
const CYCLE_MAX_MS = 15_000
jest.setTimeout(60_000 + CYCLES * CYCLE_MAX_MS)

/** Connections of gateway and core come and go by a few. */
const DESCRIPTOR_SLACK = 3

let fleet: Fleet
let enginePort: number
beforeAll(async () => {
  const pool = await simPool('a', { knobs: { load_ms: 1, tokens_per_s: 0, daemon: true } })
  enginePort = pool.enginePort!
  fleet = await startFleet({
    hosts: [{ hostId: 'h1', pools: [pool] }],
    agentFlags: { '--stop-engines-on-exit': 'false', '--drain-timeout-ms': 2_000 },
  })
  await serve()
})
afterAll(async () => {
  await fleet[Symbol.asyncDispose]()
})

const agent = () => fleet.agent('h1')
const stateDir = () => join(fleet.dir, 'h1')
const withAgent = async <T>(
  ask: (client: ReturnType<typeof clientOf>) => Promise<T>,
): Promise<T> => {
  using client = clientOf()
  return await ask(client)
}
const clientOf = () =>
  createClient(PoolManagerService, {
    address: `127.0.0.1:${agent().ports['grpcPort']}`,
    defaultDeadlineMs: 10_000,
  })
const status = (): Promise<Pool> =>
  withAgent(async (client) => (await client.getStatus({ poolId: 'a' })).pool!)
const ready = (isWanted: (pool: Pool) => boolean = () => true): Promise<Pool> =>
  until('the pool is ready', async () => {
    const pool = await status()
    return pool.ready && isWanted(pool) ? pool : undefined
  })

/** One request through the whole fleet: what serves is not only there, it works. */
const serve = async () => {
  const answer = await fleet.chat({ model: 'sim-model', max_tokens: 2 })
  expect(answer.status).toBe(200)
  await answer.text()
}

interface Traces {
  readonly descriptors: number
  readonly files: readonly string[]
}
const traces = async (): Promise<Traces> => ({
  descriptors: openDescriptors(agent().pid),
  files: await files(),
})
const MEASURES: ReadonlySet<string> = new Set([
  ...['performance.json', 'load-times.json', 'memory.json'],
])
/** The work folder of an instance has its id in its name; measures are kept once there are some. */
const files = async () =>
  (await filesIn(stateDir()))
    .filter((path) => !MEASURES.has(path))
    .map((path) => path.replace(/work-[0-9a-f-]{36}/, 'work-INSTANCE'))
/** The engine, and what it started in a session of its own. */
const treeOf = async ({ pid }: Pool): Promise<readonly number[]> => {
  const state = await fetch(`${fleet.sim('a').url}/__sim/state`)
  const { orphan_pid: daemon } = (await state.json()) as { readonly orphan_pid: number }
  return [pid, daemon].toSorted((a, b) => a - b)
}

/** With an engine that runs, exactly that engine and its child are left of everything before it. */
const expectNoLeftovers = async (before: Traces) => {
  const pool = await ready(({ activeLeases }) => activeLeases === 0)
  expect(await enginesOf(stateDir())).toEqual(await treeOf(pool))
  expect(await journalOf(stateDir())).toMatchObject([{ instanceId: pool.instanceId }])
  expect(pool.leaseIds).toEqual([])
  expect(await files()).toEqual(before.files)
  await until(
    `descriptors are at most ${before.descriptors + DESCRIPTOR_SLACK}`,
    () => openDescriptors(agent().pid) <= before.descriptors + DESCRIPTOR_SLACK,
  )
}

/** Logs rotate and connections open in the first cycles: what is there then is what may be. */
const WARM_UP = 4
const cycle = async (once: (round: number) => Promise<void>) => {
  for (let round = 0; round < WARM_UP; round++) await once(round)
  const before = await traces()
  for (let round = 0; round < CYCLES; round++) await once(round)
  await expectNoLeftovers(before)
}

const isOpen = (port: number) =>
  new Promise<boolean>((resolve) => {
    const socket = connect(port, '127.0.0.1')
    socket.once('connect', () => {
      socket.destroy()
      resolve(true)
    })
    socket.once('error', () => resolve(false))
  })

describe(`${CYCLES} cycles leave nothing behind`, () => {
  it('of an engine that is killed', () =>
    cycle(async () => {
      const before = await ready()
      kill(before.pid, 'SIGKILL')
      // By hand, so that neither the backoff nor the breaker is waited for.
      await until('the crash is seen', async () => {
        const { state } = await status()
        return state === PoolState.BACKOFF || state === PoolState.FAILED
      })
      await withAgent((client) => client.start({ poolId: 'a' }))
      await ready(({ instanceId }) => instanceId !== before.instanceId)
    }))

  it('of an agent that is killed or stopped, while its engine runs on', async () => {
    const { pid, instanceId } = await ready()
    await cycle(async (round) => {
      await agent().end(round % 2 === 0 ? 'SIGKILL' : 'SIGTERM')
      await agent().restart()
      const after = await ready()
      expect(after).toMatchObject({ pid, instanceId })
      await serve()
    })
  })

  it('of a pool that is stopped and started', () =>
    cycle(async () => {
      await withAgent((client) => client.stop({ poolId: 'a' }))
      await until('it is stopped', async () => (await status()).state === PoolState.STOPPED)
      expect(await enginesOf(stateDir())).toEqual([])
      expect(await journalOf(stateDir())).toEqual([])
      expect(await isOpen(enginePort)).toBe(false)
      await withAgent((client) => client.start({ poolId: 'a' }))
      await ready()
    }))
})
