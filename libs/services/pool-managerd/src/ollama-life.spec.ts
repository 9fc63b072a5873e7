import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { kill } from 'node:process'
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals'
import { startNatsServer, type NatsServer } from '@berth/bus/testing'
import { PoolState, Residency } from '@berth/contract'
import { killGroup } from '@berth/runtime'
import { findFreePort } from './engine/loopback-port.ts'
import { readEntries, startAgentProcess } from './testing/agent-process.ts'
import { read, send, startTestAgent } from './testing/agent-under-test.ts'
import { eventually } from './testing/eventually.ts'
import { makeFakeOllama, ollamaPool, type FakeOllama } from './testing/fake-ollama.ts'
import { isAlive } from './testing/is-alive.ts'
import { follow, startOllama } from './testing/ollama-under-test.ts'
import { makePoolsFolder } from './testing/pools-folder.ts'

// Real processes on a machine that may be busy.
jest.setTimeout(60_000)

let nats: NatsServer
beforeAll(async () => {
  nats = await startNatsServer({ jetstream: true })
})
afterAll(async () => {
  await nats[Symbol.asyncDispose]()
})

it('a daemon that is killed comes back with all its wanted models', async () => {
  await using ollama = await makeFakeOllama({ models: ['m1', 'm2', 'm3'] })
  const lifecycle = { backoff: { initial_ms: 50 } }
  await using at = await startOllama(nats.url, ollama, { model: 'm1', lifecycle })
  await at.reaches('m1', Residency.RESIDENT)
  await at.load('m2')
  await at.load('m3')
  await at.unload('m3')
  const { pid } = await at.pool()
  kill(pid, 'SIGKILL')
  await eventually('another daemon runs', async () => {
    const pool = await at.pool()
    return pool.ready && pool.pid !== pid
  })
  await at.reaches('m1', Residency.RESIDENT)
  await at.reaches('m2', Residency.RESIDENT)
  expect(await at.resident()).toEqual(['m1:latest', 'm2:latest'])
})

it('a pool that is taken out of the pools file forgets what was commanded of its models', async () => {
  await using ollama = await makeFakeOllama({ models: ['m1', 'm2'] })
  await using at = await startOllama(nats.url, ollama, { model: 'm1' })
  await at.reaches('m1', Residency.RESIDENT)
  await at.load('m2')
  await at.unload('m1')
  const { folder, client } = at.test
  await folder.write({ host: 'h1', pools: [] })
  await eventually('it is gone', async () => (await client.getHost({})).host!.pools.length === 0)
  await folder.write({ host: 'h1', pools: [ollamaPool('a', ollama, { model: 'm1' })] })
  await eventually('the model of the file is there, and no other', async () => {
    const { pools } = (await client.getHost({})).host!
    const held = pools.flatMap(({ models }) => models.filter(({ modelRef }) => modelRef !== ''))
    return held.map(({ modelId }) => modelId).join() === 'm1' && held[0]!.residency
  })
  await at.reaches('m1', Residency.RESIDENT)
  expect(await at.resident()).toEqual(['m1:latest'])
})

describe('an agent that starts again', () => {
  const daemonPort = async (folder: Parameters<typeof readEntries>[0]) =>
    (await readEntries(folder))[0]!.process!.port
  const psOf = async (port: number) => {
    const text = await read(await send(port, '/api/ps'))
    return (JSON.parse(text) as { models: { name: string }[] }).models.map(({ name }) => name)
  }

  it.each([
    ['takes over the daemon and proves its models anew', 'SIGKILL', false],
    ['loads what was wanted into a new daemon', 'SIGTERM', true],
  ] as const)('%s', async (_what, signal, stopsEngine) => {
    await using ollama = await makeFakeOllama({ models: ['m1', 'm2', 'm3'], load_ms: 20 })
    const lifecycle = { stop_on_exit: stopsEngine }
    const pools = [ollamaPool('a', ollama, { model: 'm1', lifecycle })]
    await using folder = await makePoolsFolder({ host: 'h1', pools })
    let agent = startAgentProcess(folder, nats.url)
    const shown = async (modelId: string, residency: Residency) =>
      eventually(`${modelId} is shown`, async () => {
        const { models } = await agent.status('a')
        return models.some((model) => model.modelId === modelId && model.residency === residency)
      })
    try {
      const before = await agent.poolIsReady('a')
      await shown('m1', Residency.RESIDENT)
      {
        using client = await agent.client()
        const loaded = await client.loadModel({ poolId: 'a', modelRef: 'm2' })
        await follow(client, loaded.operation)
        // By command the pool's own stays away, also in the next life.
        const unloaded = await client.unloadModel({ poolId: 'a', modelId: 'm1' })
        await follow(client, unloaded.operation)
      }
      await agent.end(signal)
      expect(isAlive(before.pid)).toBe(!stopsEngine)
      agent = startAgentProcess(folder, nats.url)
      const after = await agent.poolIsReady('a')
      expect(after.pid === before.pid).toBe(!stopsEngine)
      await shown('m2', Residency.RESIDENT)
      await shown('m1', Residency.ON_DISK)
      expect(await psOf(await daemonPort(folder))).toEqual(['m2:latest'])
    } finally {
      if (agent.child.exitCode === null && !agent.child.signalCode) await agent.end('SIGKILL')
      for (const { process: engine } of await readEntries(folder))
        if (engine) killGroup(engine.pid, 'SIGKILL')
    }
  })
})

describe('a daemon that others run', () => {
  /** One that nobody but this test starts and ends. */
  const serve = async (ollama: FakeOllama, port: number): Promise<ChildProcess> => {
    const env = { OLLAMA_HOST: `127.0.0.1:${port}`, OLLAMA_MODELS: ollama.modelsDir }
    const child = spawn(ollama.binaryPath, ['serve'], { env, stdio: ['ignore', 'pipe', 'pipe'] })
    let said = ''
    child.stdout.on('data', (text: Buffer) => (said += text.toString()))
    await eventually('the daemon listens', () => said.includes('listening'))
    return child
  }
  const agentOf = (mode: string, port: number, model: string) =>
    startTestAgent(nats.url, [
      {
        ...{ id: 'a', engine: 'ollama', mode, model, url: `http://127.0.0.1:${port}` },
        lifecycle: { health_check_interval_s: 0.1 },
      },
    ])
  const residencyOf = async (test: Awaited<ReturnType<typeof agentOf>>, modelId: string) =>
    (await test.status('a')).models.find((model) => model.modelId === modelId)?.residency

  it('[001-MODE-6] monitored: is never started or stopped by us, and holds what is wanted', async () => {
    await using ollama = await makeFakeOllama({ models: ['m1', 'm2'] })
    const port = await findFreePort()
    {
      await using test = await agentOf('monitored', port, 'm1')
      const down = await test.reaches('a', PoolState.STARTING)
      expect(down).toMatchObject({ ready: false, pid: 0 })
      const refused = { reason: 'UNSUPPORTED_OPERATION' }
      await expect(test.client.start({ poolId: 'a' })).rejects.toMatchObject(refused)
    }
    const child = await serve(ollama, port)
    try {
      {
        await using test = await agentOf('monitored', port, 'm1')
        expect(await test.reaches('a', PoolState.READY)).toMatchObject({ pid: 0 })
        await eventually('m1 is there', async () => {
          return (await residencyOf(test, 'm1')) === Residency.RESIDENT
        })
        const { operation } = await test.client.loadModel({ poolId: 'a', modelRef: 'm2' })
        await follow(test.client, operation)
        await expect(test.client.stop({ poolId: 'a' })).rejects.toMatchObject({
          reason: 'UNSUPPORTED_OPERATION',
        })
      }
      // The agent is gone: the daemon and its models are as they were.
      expect(child.exitCode).toBeNull()
      const ps = await read(await send(port, '/api/ps'))
      expect(ps).toContain('m1:latest')
      expect(ps).toContain('m2:latest')
    } finally {
      child.kill('SIGKILL')
      await once(child, 'exit')
    }
  })

  it('monitored: downloads nothing by itself, and by command what is asked for', async () => {
    await using ollama = await makeFakeOllama({ models: ['m1'] })
    const port = await findFreePort()
    const child = await serve(ollama, port)
    try {
      await using test = await agentOf('monitored', port, 'm9')
      await eventually('it is told', async () => {
        return (await residencyOf(test, 'm9')) === Residency.FAILED
      })
      expect(await read(await send(port, '/api/tags'))).not.toContain('m9')
      const { operation } = await test.client.loadModel({ poolId: 'a', modelRef: 'm9' })
      await follow(test.client, operation)
      expect(await residencyOf(test, 'm9')).toBe(Residency.RESIDENT)
    } finally {
      child.kill('SIGKILL')
      await once(child, 'exit')
    }
  })

  it('external: is only watched, until somebody commands a load', async () => {
    await using ollama = await makeFakeOllama({ models: ['m1'] })
    const port = await findFreePort()
    const child = await serve(ollama, port)
    try {
      await using test = await agentOf('external', port, 'm1')
      await test.reaches('a', PoolState.READY)
      await eventually('it is on disk', async () => {
        return (await residencyOf(test, 'm1')) === Residency.ON_DISK
      })
      expect(JSON.parse(await read(await send(port, '/api/ps')))).toEqual({ models: [] })
      const { operation } = await test.client.loadModel({ poolId: 'a', modelRef: 'm1' })
      await follow(test.client, operation)
      expect(await residencyOf(test, 'm1')).toBe(Residency.RESIDENT)
    } finally {
      child.kill('SIGKILL')
      await once(child, 'exit')
    }
  })
})
