import { createHash } from 'node:crypto'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals'
import { startNatsServer, type NatsServer } from '@berth/bus/testing'
import { PoolState, Residency, type Pool } from '@berth/contract'
import { readEntries, startAgentProcess, type AgentProcess } from './testing/agent-process.ts'
import { startTestAgent } from './testing/agent-under-test.ts'
import { eventually } from './testing/eventually.ts'
import { makePoolsFolder, simPool, type PoolsFolder } from './testing/pools-folder.ts'

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
const shaOf = (content: string) => `sha256:${createHash('sha256').update(content).digest('hex')}`
const file = (...pools: readonly object[]) => ({ host: 'h1', pools })
const withFile = (id: string, more: object = {}) =>
  simPool(id, { ...quick, model: 'file:m.gguf', ...more })
const putModel = (folder: PoolsFolder, content: string) =>
  writeFile(join(folder.dir, 'm.gguf'), content)
const reaches = (agent: AgentProcess, poolId: string, state: PoolState) =>
  eventually(`${poolId} reaches state ${state}`, async () => {
    const pool = await agent.status(poolId)
    return pool.state === state && pool
  })
const windowOf = ({ transitions }: Pool) => ({
  from: Number(transitions.find(({ to }) => to === PoolState.STARTING)?.atMs),
  to: Number(transitions.find(({ to }) => to === PoolState.READY)?.atMs),
})

describe('the preload of a pool', () => {
  it('[002-02, 002-07b2, 002-28a, 002-09a, 002-09a2, 002-09b] is ready only when its model is there, its engine is prepared and its probes pass', async () => {
    await using folder = await makePoolsFolder(file(withFile('a', { engine_options: {} })))
    await putModel(folder, 'weights')
    const agent = startAgentProcess(folder, nats.url, ['--stop-engines-on-exit'])
    const ready = await agent.poolIsReady('a')
    expect(ready.transitions.map(({ to }) => to)).toEqual([
      ...[PoolState.PREPARING, PoolState.STARTING, PoolState.READY],
    ])
    expect(ready).toMatchObject({ live: true, models: [{ modelId: 'm', modelRef: 'file:m.gguf' }] })
    expect(agent.output()).toContain('its content is not verified')
    await agent.end('SIGTERM')
  })

  it('[002-07b] publishes a digest that was verified, and a later life does not read the file again', async () => {
    const digest = shaOf('weights')
    await using folder = await makePoolsFolder(file(withFile('a', { digest })))
    await putModel(folder, 'weights')
    const first = startAgentProcess(folder, nats.url, ['--stop-engines-on-exit'])
    const ready = await first.poolIsReady('a')
    expect(ready.models).toMatchObject([{ digest, residency: Residency.RESIDENT }])
    expect(first.output()).not.toContain('its content is not verified')
    await first.end('SIGTERM')
    const second = startAgentProcess(folder, nats.url, ['--stop-engines-on-exit'])
    expect((await second.poolIsReady('a')).models).toMatchObject([{ digest }])
    await second.end('SIGTERM')
  })

  it('[002-07b, 002-08a2] never starts an engine on a model with another digest, and says both', async () => {
    const digest = shaOf('other')
    await using folder = await makePoolsFolder(file(withFile('a', { digest })))
    await putModel(folder, 'weights')
    const agent = startAgentProcess(folder, nats.url, ['--stop-engines-on-exit'])
    const failed = await reaches(agent, 'a', PoolState.FAILED)
    expect(failed.lastError).toContain(`has digest ${shaOf('weights')}`)
    expect(failed.lastError).toContain(`wants ${digest}`)
    expect(failed.lastError).toContain('berth pools start a')
    expect(failed.pid).toBe(0)
    expect(failed.transitions.map(({ to }) => to)).toEqual([PoolState.PREPARING, PoolState.FAILED])
    expect(await readEntries(folder)).toEqual([])
    // Mended in the file, it starts by itself.
    await folder.write(file(withFile('a', { digest: shaOf('weights') })))
    expect((await agent.poolIsReady('a')).lastError).toBe('')
    await agent.end('SIGTERM')
  })

  it('[002-07b] does not take over an engine whose model turns out to be another', async () => {
    await using folder = await makePoolsFolder(file(withFile('a')))
    await putModel(folder, 'weights')
    const first = startAgentProcess(folder, nats.url)
    const { pid } = await first.poolIsReady('a')
    await first.end('SIGTERM')
    await folder.write(file(withFile('a', { digest: shaOf('other') })))
    const second = startAgentProcess(folder, nats.url, ['--stop-engines-on-exit'])
    const failed = await reaches(second, 'a', PoolState.FAILED)
    expect(failed.pid).not.toBe(pid)
    await second.end('SIGTERM')
  })

  it('keeps an engine at work when a digest is added that its model has, and ends it when not', async () => {
    await using test = await startTestAgent(nats.url, [simPool('z', quick)])
    await putModel(test.folder, 'weights')
    await test.folder.write(file(withFile('a')))
    const served = (wanted: (pool: Pool) => boolean) =>
      eventually('the pool is so', async () => {
        const { pools } = (await test.client.getHost({})).host!
        return pools.find((pool) => pool.poolId === 'a' && wanted(pool))
      })
    const { pid } = await served(({ ready }) => ready)
    await test.folder.write(file(withFile('a', { digest: shaOf('weights') })))
    const proven = await served(({ models }) => models[0]?.digest === shaOf('weights'))
    expect(proven).toMatchObject({ pid, ready: true })
    await test.folder.write(file(withFile('a', { digest: shaOf('other') })))
    const failed = await served(({ state }) => state === PoolState.FAILED)
    expect(failed.lastError).toContain(`has digest ${shaOf('weights')}`)
  })

  it('leaves a pool at work when its new model cannot be had', async () => {
    await using test = await startTestAgent(nats.url, [simPool('a', quick), simPool('b', quick)])
    const { pid } = await test.reaches('a', PoolState.READY)
    await putModel(test.folder, 'weights')
    const wrong = withFile('a', { digest: shaOf('other') })
    const other = (version: string) => simPool('b', { ...quick, sampler_profile_version: version })
    const applied = (version: string) =>
      eventually(`the file of ${version} is applied`, async () => {
        return (await test.status('b')).samplerProfileVersion === version
      })
    await test.folder.write(file(wrong, other('v2')))
    await applied('v2')
    await eventually('the model has been read', async () => {
      const path = join(test.folder.stateDir, 'digests.json')
      return (await readFile(path, 'utf8').catch(() => '')).includes('m.gguf')
    })
    await test.folder.write(file(wrong, other('v3')))
    await applied('v3')
    expect(await test.status('a')).toMatchObject({
      ready: true,
      pid,
      models: [{ modelId: 'sim-model' }],
    })
  })

  it('brings up a few pools at once, in the order of the file', async () => {
    const pools = ['a', 'b', 'c', 'd'].map((id) => simPool(id, quick, { load_ms: 700 }))
    await using test = await startTestAgent(nats.url, pools, { preloadConcurrency: 2 })
    const waiting = await eventually('d waits', async () => {
      const pool = await test.status('d')
      return pool.stateReason === 'waiting for other pools to load' && pool
    })
    expect(waiting.state).toBe(PoolState.PREPARING)
    const loaded = await Promise.all(
      ['a', 'b', 'c', 'd'].map(async (id) => windowOf(await test.reaches(id, PoolState.READY))),
    )
    const [a, b, c, d] = loaded as [Window, Window, Window, Window]
    const first = Math.min(a.to, b.to)
    expect(Math.max(a.from, b.from)).toBeLessThan(first)
    expect(c.from).toBeGreaterThanOrEqual(first - 2)
    expect(d.from).toBeGreaterThanOrEqual([a.to, b.to, c.to].sort((x, y) => x - y)[1]! - 2)
  })

  it('gives its place on when it fails, and when it is stopped', async () => {
    const missing = { lifecycle: { binary_path: '/nowhere/engine' } }
    const pools = [
      simPool('a', missing),
      simPool('b', quick, { load_ms: 600_000 }),
      simPool('c', quick),
      simPool('d', quick),
    ]
    await using test = await startTestAgent(nats.url, pools, { preloadConcurrency: 1 })
    await test.reaches('a', PoolState.FAILED)
    await test.reaches('b', PoolState.STARTING)
    await test.client.stop({ poolId: 'c' })
    await test.reaches('c', PoolState.STOPPED)
    await test.client.stop({ poolId: 'b' })
    await test.reaches('d', PoolState.READY)
    expect((await test.status('c')).state).toBe(PoolState.STOPPED)
  })
})

interface Window {
  readonly from: number
  readonly to: number
}

describe('a pool without a model', () => {
  it('[003-FR-002] rests until it is given one, where its engine needs one', async () => {
    await using test = await startTestAgent(nats.url, [
      { id: 'a', engine: 'embedded' },
      simPool('b', { ...quick, model: undefined }, { dialect: 'ollama' }),
    ])
    expect(await test.reaches('b', PoolState.READY)).toMatchObject({ models: [] })
    expect(await test.status('a')).toMatchObject({
      ...{ state: PoolState.STOPPED, models: [], lastError: '' },
      stateReason: 'it has no model yet; reload it to one',
    })
    await test.client.start({ poolId: 'a' })
    const failed = await test.reaches('a', PoolState.FAILED)
    expect(failed.lastError).toContain('Pool a has no model yet: set model in the pools file')
  })
})

describe('what was commanded of a pool', () => {
  const restarted = async (
    folder: PoolsFolder,
    agent: AgentProcess,
    signal: 'SIGTERM' | 'SIGKILL',
  ) => {
    await agent.end(signal)
    return startAgentProcess(folder, nats.url)
  }
  it.each(['SIGTERM', 'SIGKILL'] as const)(
    'holds over an end of the agent by %s',
    async (signal) => {
      await using folder = await makePoolsFolder(
        file(simPool('a', quick), simPool('b', quick), simPool('c', quick)),
      )
      let agent = startAgentProcess(folder, nats.url)
      for (const id of ['a', 'b', 'c']) await agent.poolIsReady(id)
      const { pid } = await agent.status('b')
      {
        using client = await agent.client()
        await client.stop({ poolId: 'a' })
        await client.drain({ poolId: 'b' })
      }
      await reaches(agent, 'a', PoolState.STOPPED)
      await reaches(agent, 'b', PoolState.DRAINING)
      agent = await restarted(folder, agent, signal)
      await agent.poolIsReady('c')
      expect(await agent.status('a')).toMatchObject({
        ...{ state: PoolState.STOPPED, pid: 0 },
        stateReason: 'stopped by command; it starts by command',
      })
      expect(await reaches(agent, 'b', PoolState.DRAINING)).toMatchObject({ pid, ready: false })
      {
        using client = await agent.client()
        await client.start({ poolId: 'a' })
        await client.undrain({ poolId: 'b' })
      }
      await agent.poolIsReady('a')
      agent = await restarted(folder, agent, signal)
      await agent.poolIsReady('a')
      await agent.poolIsReady('b')
      // A pool that leaves the file leaves its intent.
      {
        using client = await agent.client()
        await client.stop({ poolId: 'a' })
        await reaches(agent, 'a', PoolState.STOPPED)
      }
      await folder.write(file(simPool('b', quick)))
      await eventually('the pool is gone', () =>
        agent.status('a').then(
          () => false,
          () => true,
        ),
      )
      await folder.write(file(simPool('a', quick), simPool('b', quick)))
      await eventually('the pool is back', () =>
        agent.status('a').then(
          ({ ready }) => ready,
          () => false,
        ),
      )
      await agent.end('SIGTERM')
      const last = startAgentProcess(folder, nats.url, ['--stop-engines-on-exit'])
      await last.poolIsReady('b')
      await last.end('SIGTERM')
    },
  )
})
