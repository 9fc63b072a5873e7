import { spawn } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { kill } from 'node:process'
import { sleep } from '@berth/kernel'
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
import { PoolState, ServiceState, type Pool } from '@berth/contract'
import { systemClock } from '@berth/runtime'
import { findTree } from './engine/process-tree.ts'
import { startTestAgent, type AgentUnderTest } from './testing/agent-under-test.ts'
import { eventually } from './testing/eventually.ts'
import { isAlive } from './testing/is-alive.ts'
import { simPool } from './testing/pools-folder.ts'

// Real processes on a machine that may be busy.
jest.setTimeout(60_000)

let nats: NatsServer
beforeAll(async () => {
  nats = await startNatsServer({ jetstream: true })
})
afterAll(async () => {
  await nats[Symbol.asyncDispose]()
})

const SIM = new URL('../../../../apps/sim-engine/src/main.ts', import.meta.url).pathname
const start = (pools: readonly object[]) => startTestAgent(nats.url, pools)
const quick = { health_check_interval_s: 0.1, shutdown_grace_s: 0.3 }
/** Fails at the first end, so that its reason stays. */
const once = { ...quick, max_restarts_per_minute: 0 }

const another = (test: AgentUnderTest, before: Pool) =>
  eventually('another instance is ready', async () => {
    const pool = await test.status('a')
    return pool.ready && pool.instanceId !== before.instanceId && pool
  })

describe('what an engine started', () => {
  it('is ended with it, also in a session of its own [001-PRC-2]', async () => {
    await using test = await start([simPool('a', { lifecycle: quick }, { daemon: true })])
    const before = await test.reaches('a', PoolState.READY)
    const { orphan_pid: daemon } = await test.simState('a')
    expect(
      findTree(before.instanceId)
        .map(({ pid }) => pid)
        .sort(),
    ).toEqual([before.pid, daemon!].sort())
    await test.client.stop({ poolId: 'a' })
    await test.reaches('a', PoolState.STOPPED)
    expect([before.pid, daemon!].map(isAlive)).toEqual([false, false])
  })

  it('is ended before the next instance starts when it crashes [001-PRC-2]', async () => {
    await using test = await start([simPool('a', { lifecycle: quick }, { daemon: true })])
    const before = await test.reaches('a', PoolState.READY)
    const { orphan_pid: daemon } = await test.simState('a')
    kill(before.pid, 'SIGSEGV')
    const after = await another(test, before)
    expect(isAlive(daemon!)).toBe(false)
    expect((await test.simState('a')).orphan_pid).not.toBe(daemon)
    expect(after.restartCount).toBe(1)
  })

  it('with an environment of its own is found by its parent', async () => {
    const mark = { BERTH_INSTANCE_ID: 'i-of-this-test' }
    const script = 'env -i /bin/sh -c "sleep 60 & echo ready; wait" & wait'
    const child = spawn('/bin/sh', ['-c', script], { env: { ...mark, PATH: '/usr/bin:/bin' } })
    await new Promise((resolve) => child.stdout.once('data', resolve))
    const found = findTree('i-of-this-test')
    // The shell, the shell without a mark, and what that one started.
    expect(found.length).toBeGreaterThanOrEqual(3)
    expect(findTree('i-of-this')).toEqual([])
    for (const { pid } of found) kill(pid, 'SIGKILL')
  })
})

describe('the end of an engine is told with cause, fact and next command [002-26a2]', () => {
  it.each([
    ['vllm', 'Its GPU has too little free memory for it: "torch.OutOfMemoryError'],
    ['llamacpp', 'Its GPU has too little free memory for it: "'],
  ])('out of memory (%s)', async (dialect, told) => {
    const pool = simPool('a', { lifecycle: once }, { dialect, oom: true })
    await using test = await start([pool])
    const failed = await test.reaches('a', PoolState.FAILED)
    expect(failed.lastError).toContain(told)
    expect(failed.lastError).toMatch(/Then: berth pools start a$/)
  })

  it('a signal, with what it means', async () => {
    await using test = await start([simPool('a', { lifecycle: once })])
    const { pid } = await test.reaches('a', PoolState.READY)
    kill(pid, 'SIGSEGV')
    const failed = await test.reaches('a', PoolState.FAILED)
    expect(failed.lastError).toContain('It was ended by SIGSEGV. It read memory')
  })

  it('is that of its own last words, not of the instance before it', async () => {
    await using test = await start([simPool('a', { lifecycle: quick }, { load_ms: 1 })])
    const before = await test.reaches('a', PoolState.READY)
    await test.turn('a', { oom: true })
    const after = await another(test, before)
    kill(after.pid, 'SIGABRT')
    const crashed = await eventually('its end is told', async () => {
      const pool = await test.status('a')
      return pool.lastError !== '' && pool
    })
    expect(crashed.lastError).toContain('SIGABRT')
    expect(crashed.lastError).toMatch(/See: berth pools logs a$/)
  })

  it('ending with 0 is a stop and no crash [001-ST-4]', async () => {
    await using test = await start([
      simPool('a', { lifecycle: quick }, { exit_code: 0, exit_after_ms: 500 }),
    ])
    const stopped = await test.reaches('a', PoolState.STOPPED)
    const serviceState = ServiceState.STOPPED
    expect(stopped).toMatchObject({ restartCount: 0, lastError: '', serviceState })
    expect(stopped.transitions.map(({ to }) => to)).not.toContain(PoolState.CRASHED)
  })
})

describe('a port that is configured', () => {
  let thief: Server | undefined
  afterEach(() => {
    thief?.close()
  })
  const steal = async (port: number) => {
    const server = (thief = createServer())
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject)
      server.listen(port, '127.0.0.1', resolve)
    })
    return (server.address() as { port: number }).port
  }

  it('and taken keeps the engine away, names who holds it, and is had once it is free [003-FR-043, 003-AC-005, 003-AC-036]', async () => {
    const port = await steal(0)
    await using test = await start([simPool('a', { lifecycle: { ...quick, port } })])
    const waiting = await test.reaches('a', PoolState.BACKOFF)
    expect(waiting.lastError).toContain(`Port ${port} is held by pid ${process.pid} (`)
    thief?.close()
    const ready = await test.reaches('a', PoolState.READY)
    expect((await test.simState('a')).pid).toBe(ready.pid)
  })

  it('stolen between two instances is told the same way', async () => {
    const port = await steal(0)
    thief?.close()
    await using test = await start([simPool('a', { lifecycle: { ...quick, port } })])
    const { pid } = await test.reaches('a', PoolState.READY)
    kill(pid, 'SIGKILL')
    await eventually('the port is stolen', () =>
      steal(port).then(
        () => true,
        () => false,
      ),
    )
    const told = await eventually('who holds it is told', async () => {
      const pool = await test.status('a')
      return pool.lastError.includes('is held by') && pool
    })
    expect(told.lastError).toContain(`Port ${port} is held by pid ${process.pid} (`)
  })
})

describe('a load', () => {
  it('that goes on takes as long as it takes, beyond the load timeout', async () => {
    // Longer than a process takes to begin on a busy machine.
    const lifecycle = { ...quick, model_load_timeout_s: 2 }
    const knobs = { load_ms: 5_000, load_line_ms: 150 }
    await using test = await start([simPool('a', { lifecycle }, knobs)])
    const ready = await test.reaches('a', PoolState.READY)
    expect(ready.restartCount).toBe(0)
    expect(ready.transitions.map(({ to }) => to)).not.toContain(PoolState.CRASHED)
  })

  it('that stands still is ended at the load timeout, and given up after its retries', async () => {
    const lifecycle = { ...quick, model_load_timeout_s: 0.6, model_load_max_retries: 1 }
    await using test = await start([simPool('a', { lifecycle }, { load_ms: 60_000 })])
    const failed = await test.reaches('a', PoolState.FAILED)
    expect(failed.restartCount).toBe(1)
    expect(failed.lastError).toMatch(/^Gave up after 2 starts\. Not ready .* after the start\./)
  })
})

describe('a crash loop', () => {
  let dir: string
  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'berth-loop-'))
  })
  afterEach(() => rm(dir, { recursive: true }))

  /** An engine that ends with 3 until it is mended. */
  const brokenEngine = async () => {
    const path = join(dir, 'engine')
    const script = `#!/bin/sh\n[ -e ${dir}/mended ] || exit 3\nexec ${process.execPath} ${SIM} "$@"\n`
    await writeFile(path, script, { mode: 0o755 })
    return { path, mend: () => writeFile(join(dir, 'mended'), '') }
  }
  const reason = (test: AgentUnderTest, part: string) =>
    eventually(`the pool says ${part}`, async () => {
      const pool = await test.status('a')
      return pool.stateReason.includes(part) && pool
    })

  it('opens the breaker for longer each time, until a trial holds and closes it [002-28c]', async () => {
    const engine = await brokenEngine()
    const lifecycle = {
      ...{ ...quick, binary_path: engine.path, max_restarts_per_minute: 1 },
      breaker: { open_s: 1, stable_s: 0.3 },
    }
    await using test = await start([simPool('a', { lifecycle })])
    await reason(test, 'It ended 2 times within 60 s; one more try in 1 s')
    const failed = await reason(test, 'one more try in 2 s')
    expect(failed).toMatchObject({ state: PoolState.FAILED, restartCount: 2 })
    await engine.mend()
    const { pid } = await test.reaches('a', PoolState.READY)
    await sleep(systemClock(), 400)
    kill(pid, 'SIGKILL')
    // It was closed meanwhile: its time begins anew.
    await reason(test, 'one more try in 1 s')
  })
})
