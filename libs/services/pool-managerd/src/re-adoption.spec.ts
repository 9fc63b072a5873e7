import { readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { kill } from 'node:process'
import {
  afterAll,
  afterEach,
  beforeAll,
  beforeEach,
  describe,
  expect,
  it,
  jest,
} from '@jest/globals'
import { startNatsServer, type NatsServer } from '@berth/bus/testing'
import { PoolState } from '@berth/contract'
import { killGroup } from '@berth/runtime'
import { read, send } from './testing/agent-under-test.ts'
import { readEntries, startAgentProcess, type AgentProcess } from './testing/agent-process.ts'
import { eventually } from './testing/eventually.ts'
import { isAlive } from './testing/is-alive.ts'
import { makePoolsFolder, simPool, type PoolsFolder } from './testing/pools-folder.ts'

// Real processes on a machine that may be busy.
jest.setTimeout(60_000)

/** Long enough that a second load would be seen. */
const LOAD_MS = 700

let nats: NatsServer
let folder: PoolsFolder
let agent: AgentProcess
beforeAll(async () => {
  nats = await startNatsServer({ jetstream: true })
})
afterAll(async () => {
  await nats[Symbol.asyncDispose]()
})
beforeEach(async () => {
  folder = await makePoolsFolder({ host: 'h1', pools: [simPool('a', {}, { load_ms: LOAD_MS })] })
  agent = start()
})
afterEach(async () => {
  if (agent.child.exitCode === null && !agent.child.signalCode) await agent.end('SIGKILL')
  for (const { process: engine } of await readEntries(folder))
    if (engine) killGroup(engine.pid, 'SIGKILL')
  await folder[Symbol.asyncDispose]()
})

const start = (flags: readonly string[] = []) => startAgentProcess(folder, nats.url, flags)
const changePool = (more: object, knobs: object = {}) =>
  writeFile(
    folder.poolsFile,
    JSON.stringify({ host: 'h1', pools: [simPool('a', more, { load_ms: LOAD_MS, ...knobs })] }),
  )

/** Asks the engine itself: its port and key are in the journal. */
const askEngine = async (): Promise<number> => {
  const [entry] = await readEntries(folder)
  const { port, apiKey } = entry!.process!
  const headers = { authorization: `Bearer ${apiKey}`, 'content-type': 'application/json' }
  const body = { model: 'sim-model', max_tokens: 1, messages: [{ role: 'user', content: 'Hi' }] }
  expect((await send(port, '/v1/chat/completions', { body, headers })).statusCode).toBe(200)
  const state = JSON.parse(await read(await send(port, '/__sim/state'))) as {
    readonly counters: { readonly requests: number }
  }
  return state.counters.requests
}

describe('an agent that starts again', () => {
  it.each(['SIGKILL', 'SIGTERM'] as const)(
    'after %s has the same engine, ready and not reloaded [001-OPT-6]',
    async (signal) => {
      const before = await agent.poolIsReady('a')
      const { epoch } = await agent.ready()
      const asked = await askEngine()
      await agent.end(signal)
      expect(isAlive(before.pid)).toBe(true)
      const startedAt = performance.now()
      agent = start()
      const after = await agent.poolIsReady('a')
      const tookMs = Math.round(performance.now() - startedAt)
      process.stdout.write(`${JSON.stringify({ spec: 're-adoption', signal, tookMs })}\n`)
      expect(after.pid).toBe(before.pid)
      expect(after.instanceId).toBe(before.instanceId)
      expect(after.upSinceMs).toBe(before.upSinceMs)
      expect(after.restartCount).toBe(0)
      expect(after.transitions.map(({ to }) => to)).toEqual([PoolState.STARTING, PoolState.READY])
      expect((await agent.ready()).epoch).toBeGreaterThan(epoch)
      expect(await askEngine()).toBe(asked + 1)
    },
  )

  it('takes over an engine that is still loading', async () => {
    await changePool({}, { load_ms: 3_000 })
    await agent.end('SIGKILL')
    agent = start()
    const loading = await eventually('the engine loads', async () => {
      const pool = await agent.status('a')
      return pool.state === PoolState.STARTING && pool
    })
    await agent.end('SIGKILL')
    agent = start()
    expect((await agent.poolIsReady('a')).pid).toBe(loading.pid)
  })

  it('keeps an engine whose pool changed only in how it is watched', async () => {
    const { pid } = await agent.poolIsReady('a')
    await agent.end('SIGTERM')
    await changePool({ lifecycle: { health_check_interval_s: 1 } })
    agent = start()
    expect((await agent.poolIsReady('a')).pid).toBe(pid)
  })

  it('ends an engine whose pool has changed and starts it anew [003-NFR-011]', async () => {
    const { pid } = await agent.poolIsReady('a')
    await agent.end('SIGKILL')
    await changePool({ slots: 3 })
    agent = start()
    const after = await agent.poolIsReady('a')
    expect(after.pid).not.toBe(pid)
    expect(after.slotsTotal).toBe(3)
    expect(isAlive(pid)).toBe(false)
  })

  it.each<[string, (entry: Entry) => Entry]>([
    ['was started on another boot', (entry) => changed(entry, { bootId: 'another' })],
    ['has another start time', (entry) => changed(entry, { startTime: '1' })],
    ['has another command line', (entry) => changed(entry, { argvHash: 'another' })],
    ['was about to be started', ({ process: _, ...intent }) => intent],
  ])('ends an engine that by the journal %s [001-PRC-3]', async (_what, change) => {
    const { pid } = await agent.poolIsReady('a')
    await agent.end('SIGKILL')
    const [entry] = await readEntries(folder)
    await writeFile(join(folder.stateDir, 'instances.json'), JSON.stringify([change(entry!)]))
    agent = start()
    expect((await agent.poolIsReady('a')).pid).not.toBe(pid)
    expect(isAlive(pid)).toBe(false)
  })

  it('ends an engine of which the journal was lost [003-NFR-011]', async () => {
    const { pid } = await agent.poolIsReady('a')
    await agent.end('SIGKILL')
    await writeFile(join(folder.stateDir, 'instances.json'), 'no journal')
    agent = start()
    expect((await agent.poolIsReady('a')).pid).not.toBe(pid)
    expect(isAlive(pid)).toBe(false)
  })

  it('starts an engine anew that died while no agent was there', async () => {
    const { pid } = await agent.poolIsReady('a')
    await agent.end('SIGKILL')
    kill(pid, 'SIGKILL')
    agent = start()
    expect((await agent.poolIsReady('a')).pid).not.toBe(pid)
  })
})

type Entry = Awaited<ReturnType<typeof readEntries>>[number]

const changed = (entry: Entry, change: Partial<NonNullable<Entry['process']>>): Entry => ({
  ...entry,
  process: { ...entry.process!, ...change },
})

describe('an engine that was taken over', () => {
  const takenOver = async () => {
    const { pid } = await agent.poolIsReady('a')
    await agent.end('SIGKILL')
    agent = start()
    expect((await agent.poolIsReady('a')).pid).toBe(pid)
    return pid
  }

  it('is restarted when it dies, like any other [003-FR-032]', async () => {
    const pid = await takenOver()
    kill(pid, 'SIGKILL')
    const after = await eventually('another engine is ready', async () => {
      const pool = await agent.status('a')
      return pool.ready && pool.pid !== pid && pool
    })
    expect(after.restartCount).toBe(1)
    expect(after.transitions.map(({ to }) => to)).toContain(PoolState.CRASHED)
    expect((await readEntries(folder)).map(({ process }) => process?.pid)).toEqual([after.pid])
  })

  it('ends with its agent where that is wanted [001-ORC-2]', async () => {
    const pid = await takenOver()
    await agent.end('SIGTERM')
    expect(isAlive(pid)).toBe(true)
    agent = start(['--stop-engines-on-exit'])
    expect((await agent.poolIsReady('a')).pid).toBe(pid)
    await agent.end('SIGTERM')
    expect(isAlive(pid)).toBe(false)
    expect(await readEntries(folder)).toEqual([])
  })
})

it('the journal, which holds the key of the engine, is for the agent alone', async () => {
  await agent.poolIsReady('a')
  const path = join(folder.stateDir, 'instances.json')
  expect((await stat(path)).mode & 0o777).toBe(0o600)
  const [entry] = await readEntries(folder)
  const environment = await readFile(`/proc/${entry!.process!.pid}/environ`, 'utf8')
  expect(environment).toContain(`BERTH_INSTANCE_ID=${entry!.instanceId}`)
})
