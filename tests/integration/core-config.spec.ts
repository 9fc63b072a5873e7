import { execFile } from 'node:child_process'
import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { kill } from 'node:process'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { startNatsServer, type NatsServer } from '@berth/bus/testing'
import { startService, until, type ServiceProcess } from '@berth/test-support'

let dir: string
let nats: NatsServer
let core: ServiceProcess
const file = () => join(dir, 'core.yaml')
/** Replaced, so that nobody reads half of it. */
const write = async (text: string) => {
  await writeFile(`${file()}.new`, text)
  await rename(`${file()}.new`, file())
}
const lastLine = async (message: string) =>
  (await core.lines()).filter(({ msg }) => msg === message).at(-1)
const reloads = async (outcome: string) => {
  const text = await (await fetch(`http://127.0.0.1:${core.ports['httpPort']}/metrics`)).text()
  const found = new RegExp(`berth_config_reloads_total\\{outcome="${outcome}"\\} (\\d+)`).exec(text)
  return Number(found?.[1] ?? 0)
}

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'berth-core-config-'))
  nats = await startNatsServer({ jetstream: true })
  await write('queue:\n  capacity: 4\nmax_wait_ms: 1000\n')
  core = await startService({
    ...{ app: 'orchestrator-core', name: 'core', dir },
    portFlags: { grpcPort: '--grpc-port', httpPort: '--http-port' },
    flags: { '--nats-url': nats.url, '--config': file() },
  })
}, 60_000)
afterAll(async () => {
  await core[Symbol.asyncDispose]()
  await nats[Symbol.asyncDispose]()
  await rm(dir, { recursive: true })
}, 30_000)

describe('core.yaml of a running core', () => {
  it('[004-29a] applies when the file changes, and names what waits for a restart', async () => {
    await write('queue:\n  capacity: 5\n  full_policy: drop-lru\ndrain_timeout_ms: 1234\n')
    await until('it is applied', async () => (await reloads('applied')) === 1)
    expect(await lastLine('settings changed')).toMatchObject({
      settings: ['queue.capacity', 'queue.full_policy', 'max_wait_ms'],
    })
    expect(await lastLine('changed settings need a restart')).toMatchObject({
      level: 'warn',
      settings: ['drain_timeout_ms'],
    })
  }, 30_000)

  it('[004-29a] that is wrong changes nothing, and every problem is logged', async () => {
    await write('queue: { capacity: 0, size: 1 }\nplacement: { weights: { speed: 1 } }\n')
    await until('it is refused', async () => (await reloads('refused')) === 1)
    const line = await lastLine('configuration is wrong, the old settings hold')
    const where = (line!['problems'] as string[]).map((each) => each.replace(`${file()}: `, ''))
    expect(where).toEqual([
      '  queue.size is not a known setting',
      '  placement.weights.speed is not a known setting',
      expect.stringContaining('  queue.capacity: '),
    ])
    expect(core.isAlive()).toBe(true)
    expect(await reloads('applied')).toBe(1)
  }, 30_000)

  it('[004-29a] is read again on SIGHUP, which ends nothing', async () => {
    kill(core.pid, 'SIGHUP')
    await until('it is refused again', async () => (await reloads('refused')) >= 2)
    await write('max_wait_ms: 2000\n')
    await until('it is applied', async () => (await reloads('applied')) === 2)
    const before = (await core.lines()).filter(({ msg }) => msg === 'configuration is unchanged')
    kill(core.pid, 'SIGHUP')
    await until('it was looked at', async () => {
      const lines = await core.lines()
      return lines.filter(({ msg }) => msg === 'configuration is unchanged').length > before.length
    })
  }, 30_000)
})

describe('a core.yaml that is wrong at the start', () => {
  it('[004-29a] ends core with 78 and every problem, each with its path', async () => {
    const path = join(dir, 'wrong.yaml')
    await writeFile(path, 'queue: { capcity: 1 }\nsession: { budget: { tokens: 0 } }\nque: 1\n')
    const bundle = join(import.meta.dirname, '../../dist/orchestrator-core.js')
    const { code, stderr } = await new Promise<{ code: unknown; stderr: string }>((resolve) => {
      execFile(process.execPath, [bundle, '--config', path], (error, _, stderr) =>
        resolve({ code: error?.code, stderr }),
      )
    })
    expect(code).toBe(78)
    expect(stderr).toContain(`${path}: queue.capcity is not a known setting`)
    expect(stderr).toContain(`${path}: que is not a known setting`)
    expect(stderr).toContain(`${path}: session.budget.tokens: `)
  }, 30_000)
})
