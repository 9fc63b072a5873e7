import { readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises'
import { delimiter, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals'
import { startNatsServer, type NatsServer } from '@berth/bus/testing'
import { PoolState } from '@berth/contract'
import { startAgentProcess } from './testing/agent-process.ts'
import { enginePortOf, startTestAgent } from './testing/agent-under-test.ts'
import { eventually } from './testing/eventually.ts'
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

const LISTENING = '0A'
/** TCP sockets of a process, as the kernel lists them: `0100007F:1F90` is 127.0.0.1:8080. */
const socketsOf = (pid: number) => {
  const own = new Set(
    readdirSync(`/proc/${pid}/fd`).flatMap((fd) => {
      try {
        return /^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/${pid}/fd/${fd}`))?.[1] ?? []
      } catch {
        // Closed meanwhile.
        return []
      }
    }),
  )
  return ['tcp', 'tcp6'].flatMap((table) =>
    readFileSync(`/proc/${pid}/net/${table}`, 'utf8')
      .split('\n')
      .slice(1)
      .map((line) => line.trim().split(/\s+/))
      .filter((fields) => own.has(fields[9] ?? ''))
      .map(([, local = '', remote = '', state = '']) => ({ local, remote, state })),
  )
}
const portOf = (address: string) => Number.parseInt(address.split(':')[1] ?? '', 16)
/** Of IPv4, IPv4 within IPv6, and IPv6, in the kernel's byte order. */
const LOOPBACK = [
  '0100007F',
  '0000000000000000FFFF00000100007F',
  '00000000000000000000000001000000',
]
const isLoopback = (address: string) => LOOPBACK.includes(address.split(':')[0] ?? '')

describe('an agent', () => {
  it('[002-21b] opens connections to NATS and its engines alone, and its engines are on loopback', async () => {
    const pools = ['a', 'b'].map((id) =>
      simPool(id, { lifecycle: { health_check_interval_s: 0.1 } }),
    )
    await using folder = await makePoolsFolder({ host: 'h1', pools })
    const agent = startAgentProcess(folder, nats.url, ['--stop-engines-on-exit'])
    await using ending = new AsyncDisposableStack()
    ending.defer(async () => {
      await agent.end('SIGTERM')
    })
    const own = await agent.ready()
    const doors = new Set([own.grpcPort, own.ingressPort, own.httpPort])
    const called = new Set<number>()
    const since = performance.now()
    const look = () => {
      for (const { local, remote, state } of socketsOf(agent.child.pid!))
        if (state !== LISTENING && !doors.has(portOf(local))) called.add(portOf(remote))
    }
    const engines = await Promise.all(['a', 'b'].map((id) => agent.poolIsReady(id)))
    const ports = await Promise.all(engines.map(({ pid }) => enginePortOf(pid)))
    const allowed = new Set([Number(new URL(nats.url).port), ...ports])
    await eventually('it was looked at for two seconds', () => {
      look()
      return performance.now() > since + 2_000
    })
    expect(called).toContain(Number(new URL(nats.url).port))
    expect([...called].filter((port) => !allowed.has(port))).toEqual([])
    for (const { pid } of engines) {
      const doorsOfEngine = socketsOf(pid).filter(({ state }) => state === LISTENING)
      expect(doorsOfEngine.map(({ local }) => portOf(local))).toHaveLength(1)
      expect(doorsOfEngine.filter(({ local }) => !isLoopback(local))).toEqual([])
    }
  })

  it('[002-07a2, 002-21a] installs nothing, not even what is missing', async () => {
    await using tools = await makePoolsFolder({ host: 'h1' })
    const bin = join(tools.dir, 'bin')
    const calls = join(tools.dir, 'calls')
    await mkdir(bin)
    await writeFile(calls, '')
    const installers = [
      ...['apt', 'apt-get', 'dnf', 'yum', 'apk', 'pacman', 'snap', 'brew', 'pip', 'pip3', 'pipx'],
      ...['uv', 'uvx', 'conda', 'npm', 'npx', 'pnpm', 'yarn', 'curl', 'wget', 'git', 'cargo'],
    ]
    for (const name of installers) {
      await writeFile(join(bin, name), `#!/bin/sh\necho "${name} $*" >> "${calls}"\n`)
      await chmod(join(bin, name), 0o755)
    }
    const PATH = `${bin}${delimiter}${process.env['PATH'] ?? ''}`
    const missing = { lifecycle: { binary_path: 'vllm-that-is-not-here' } }
    await using test = await startTestAgent(
      nats.url,
      [simPool('well'), simPool('missing', missing)],
      {},
      { PATH },
    )
    await test.reaches('well', PoolState.READY)
    const failed = await test.reaches('missing', PoolState.FAILED)
    expect(failed.lastError).toContain('vllm-that-is-not-here')
    const reload = { poolId: 'well', newModelRef: 'file:not-here.gguf' }
    const { operation } = await test.client.reload(reload)
    for await (const seen of test.client.watchOperation({ operationId: operation!.operationId }))
      expect(seen.operation).toBeDefined()
    expect((await test.status('well')).ready).toBe(true)
    expect(await readFile(calls, 'utf8')).toBe('')
  })
})
