import { symlink, mkdir, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals'
import { startNatsServer, type NatsServer } from '@berth/bus/testing'
import { PoolState } from '@berth/contract'
import { startAgentProcess } from './testing/agent-process.ts'
import { chat, read, startTestAgent, type AgentUnderTest } from './testing/agent-under-test.ts'
import { eventually } from './testing/eventually.ts'
import { isAlive } from './testing/is-alive.ts'
import { makePoolsFolder, simPool } from './testing/pools-folder.ts'

// Real processes on a machine that may be busy.
jest.setTimeout(60_000)

let nats: NatsServer
beforeAll(async () => {
  nats = await startNatsServer({ jetstream: true })
})
afterAll(async () => {
  await nats[Symbol.asyncDispose]()
})

const quick = { lifecycle: { shutdown_grace_s: 0.3 } }
const file = (...pools: readonly object[]) => ({ host: 'h1', pools })
const start = (...pools: readonly object[]) => startTestAgent(nats.url, pools)
const poolIds = async (test: AgentUnderTest) =>
  (await test.client.getHost({})).host!.pools.map(({ poolId }) => poolId)
const hasPools = (test: AgentUnderTest, ...ids: readonly string[]) =>
  eventually(`the host has ${ids.join(', ')}`, async () => {
    const now = await poolIds(test)
    return now.join() === ids.join()
  })
/** Waits for a pool that the host may not have yet. */
const comesUp = (test: AgentUnderTest, poolId: string) =>
  eventually(`${poolId} is ready`, async () => {
    const { pools } = (await test.client.getHost({})).host!
    return pools.find((pool) => pool.poolId === poolId && pool.ready)
  })
/** An answer under way, and how it ends. */
const stream = async (test: AgentUnderTest, poolId: string, tokens: number) => {
  const body = chat({ stream: true, max_tokens: tokens })
  const response = await test.post('/v1/chat/completions', body, {
    'berth-lease': test.token(poolId),
    'content-type': 'application/json',
  })
  return { status: response.statusCode, text: read(response) }
}
const problems = async (test: AgentUnderTest) =>
  (await test.client.getHost({})).host?.poolsFileProblems

const refused = async (test: AgentUnderTest, gauge: 0 | 1) => {
  const metrics = await (await fetch(`http://127.0.0.1:${test.agent.httpPort}/metrics`)).text()
  return metrics.split('\n').includes(`berth_pools_file_refused ${gauge}`)
}

describe('a pools file that changes while the agent runs', () => {
  it('starts what is new, drains and ends what is gone, and leaves the rest alone', async () => {
    await using test = await start(simPool('a', quick, { tokens_per_s: 20 }), simPool('b', quick))
    const a = await test.reaches('a', PoolState.READY)
    const b = await test.reaches('b', PoolState.READY)
    const long = await stream(test, 'a', 60)
    await test.folder.write(file(simPool('a', quick, { tokens_per_s: 20 }), simPool('c', quick)))
    await comesUp(test, 'c')
    await hasPools(test, 'a', 'c')
    expect(isAlive(b.pid)).toBe(false)
    expect(await long.text).toContain('data: [DONE]')
    const after = await test.status('a')
    expect(after).toMatchObject({ pid: a.pid, instanceId: a.instanceId, ready: true })
    expect(after.transitions).toHaveLength(a.transitions.length)
  })

  it('lets the requests of a pool that goes end first, and takes no new ones', async () => {
    await using test = await start(simPool('a', quick, { tokens_per_s: 20 }))
    const { pid } = await test.reaches('a', PoolState.READY)
    const long = await stream(test, 'a', 40)
    await test.folder.write(file())
    await test.reaches('a', PoolState.DRAINING)
    const late = await stream(test, 'a', 1)
    expect(late.status).toBe(503)
    expect(await long.text).toContain('data: [DONE]')
    await hasPools(test)
    expect(isAlive(pid)).toBe(false)
  })

  it('restarts a pool by a drain when its engine has to change', async () => {
    await using test = await start(simPool('a', quick, { tokens_per_s: 20 }))
    const before = await test.reaches('a', PoolState.READY)
    const long = await stream(test, 'a', 40)
    await test.folder.write(file(simPool('a', { ...quick, slots: 3 }, { tokens_per_s: 20 })))
    const after = await eventually('the pool is another', async () => {
      const pool = await test.status('a')
      return pool.ready && pool.slotsTotal === 3 && pool
    })
    expect(after.pid).not.toBe(before.pid)
    expect(await long.text).toContain('data: [DONE]')
  })

  it('keeps the engine of a pool that is only watched in another way', async () => {
    await using test = await start(simPool('a', quick))
    const before = await test.reaches('a', PoolState.READY)
    const lifecycle = {
      ...quick.lifecycle,
      health_check_interval_s: 0.05,
      health_check_timeout_s: 0.2,
    }
    await test.folder.write(
      file(
        simPool('a', { lifecycle, sampler_profile_version: 'v2', health: { mode: 'fail_open' } }),
      ),
    )
    const after = await eventually('the pool has its new version', async () => {
      const pool = await test.status('a')
      return pool.samplerProfileVersion === 'v2' && pool
    })
    expect(after).toMatchObject({ pid: before.pid, ready: true })
    await test.turn('a', { health_delay_ms: 600_000 })
    // Of the new policy: an engine that misses its probes, short ones, serves on.
    const degraded = await eventually('the pool is degraded', async () => {
      const pool = await test.status('a')
      return pool.degraded && pool
    })
    expect(degraded).toMatchObject({ pid: before.pid, ready: true })
  })

  it('is refused as a whole when it is wrong, and says why until it is mended', async () => {
    await using test = await start(simPool('a', quick))
    const { pid } = await test.reaches('a', PoolState.READY)
    expect(await refused(test, 0)).toBe(true)
    await test.folder.write(file(simPool('b', { slots: 'many' })))
    await eventually('the file is refused', () => refused(test, 1))
    expect(await poolIds(test)).toEqual(['a'])
    expect(await problems(test)).toEqual([expect.stringContaining('pools[0].slots')])
    await test.folder.write(file(simPool('a', quick), simPool('b', quick)))
    await comesUp(test, 'b')
    expect(await refused(test, 0)).toBe(true)
    expect(await problems(test)).toEqual([])
    expect((await test.status('a')).pid).toBe(pid)
  })

  it('is seen when a folder behind a link is swapped, as mounted maps are', async () => {
    await using test = await start(simPool('a', quick))
    await test.reaches('a', PoolState.READY)
    const { dir, poolsFile } = test.folder
    const version = async (name: string, ...pools: readonly object[]) => {
      await mkdir(join(dir, name))
      await writeFile(join(dir, name, 'pools.yaml'), JSON.stringify(file(...pools)))
      await symlink(name, join(dir, 'data.new'))
      await rename(join(dir, 'data.new'), join(dir, 'data'))
    }
    await version('v1', simPool('a', quick))
    await rm(poolsFile)
    await symlink(join('data', 'pools.yaml'), poolsFile)
    await version('v2', simPool('a', quick), simPool('b', quick))
    await comesUp(test, 'b')
  })

  it('starts a pool that had failed once its entry is mended', async () => {
    const missing = { lifecycle: { ...quick.lifecycle, binary_path: '/nowhere/engine' } }
    await using test = await start(simPool('a', missing))
    await test.reaches('a', PoolState.FAILED)
    await test.folder.write(file(simPool('a', quick)))
    await test.reaches('a', PoolState.READY)
  })
})

describe('a hangup', () => {
  it('makes the agent read the file at once, and what it serves goes on', async () => {
    await using folder = await makePoolsFolder(file(simPool('a', quick)))
    const agent = startAgentProcess(folder, nats.url, ['--stop-engines-on-exit'])
    const { pid } = await agent.poolIsReady('a')
    agent.child.kill('SIGHUP')
    await eventually('it says that nothing changed', () =>
      agent.output().includes('pools file is unchanged'),
    )
    await folder.write('host: h1\npools: [{ id: a, engine: sim, slots: none }]\n')
    agent.child.kill('SIGHUP')
    await eventually('it says what is wrong', () => agent.output().includes('pools[0].slots: '))
    await folder.write({ host: 'h2', pools: [] })
    await eventually('it says who it is', () =>
      agent.output().includes('host: this agent is h1 while it runs'),
    )
    expect(await agent.status('a')).toMatchObject({ ready: true, pid })
    await agent.end('SIGTERM')
  })
})
