import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals'
import { startNatsServer, type NatsServer } from '@berth/bus/testing'
import { eventually } from './testing/eventually.ts'
import { isAlive } from './testing/is-alive.ts'
import { makePoolsFolder, simPool, type PoolsFolder } from './testing/pools-folder.ts'

const MAIN = new URL('../../../../apps/pool-managerd/src/main.ts', import.meta.url).pathname

// Real processes on a machine that may be busy.
jest.setTimeout(40_000)

let nats: NatsServer
const children = new Set<ChildProcess>()
beforeAll(async () => {
  nats = await startNatsServer({ jetstream: true })
})
afterAll(async () => {
  // With SIGTERM, so that a failed test leaves no engine either.
  const running = [...children].filter((child) => child.exitCode === null && !child.signalCode)
  await Promise.all(
    running.map((child) => {
      child.kill('SIGTERM')
      return once(child, 'exit')
    }),
  )
  await nats[Symbol.asyncDispose]()
})

interface AgentProcess {
  readonly child: ChildProcess
  output(): string
  /** Facts of the line that says it is ready. */
  ready(): Promise<{
    readonly httpPort: number
    readonly ingressPort: number
    readonly epoch: number
  }>
}

const startProcess = (folder: PoolsFolder): AgentProcess => {
  const ports = ['--grpc-port=0', '--ingress-port=0', '--http-port=0', '--drain-timeout-ms=200']
  const child = spawn(
    process.execPath,
    [MAIN, '--pools-file', folder.poolsFile, '--state-dir', folder.stateDir, ...ports].concat([
      ...['--nats-url', nats.url, '--engines-dir', folder.dir],
    ]),
    { stdio: ['ignore', 'pipe', 'pipe'] },
  )
  children.add(child)
  let text = ''
  child.stdout.on('data', (chunk: Buffer) => (text += chunk.toString()))
  child.stderr.on('data', (chunk: Buffer) => (text += chunk.toString()))
  const ready = () =>
    eventually('the agent is ready', () => {
      const line = text.split('\n').find((candidate) => candidate.includes('"msg":"ready"'))
      return line === undefined ? undefined : (JSON.parse(line) as Ready)
    })
  return { child, output: () => text, ready }
}
type Ready = Awaited<ReturnType<AgentProcess['ready']>>

const enginePid = async (agent: AgentProcess, folder: PoolsFolder): Promise<number> => {
  const { httpPort } = await agent.ready()
  await eventually('the pool is ready', async () => {
    const response = await fetch(`http://127.0.0.1:${httpPort}/readyz`)
    const { pools } = (await response.json()) as { pools: Record<string, string> }
    return pools['a'] === 'ready'
  })
  const journal = await readFile(join(folder.stateDir, 'instances.json'), 'utf8')
  const [entry] = JSON.parse(journal) as { readonly process: { readonly pid: number } }[]
  return entry!.process.pid
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

describe('the agent as a process', () => {
  it('lists every problem of a bad pools file with its path and exits with 78', async () => {
    await using folder = await makePoolsFolder({
      host: 'h1',
      pools: [
        simPool('a', { slots: 'many', frob: 1 }),
        { id: 'b', engine: 'embedded', model: 'file:/nowhere/x.gguf', devices: [3] },
      ],
    })
    const agent = startProcess(folder)
    const [code] = (await once(agent.child, 'close')) as [number]
    expect(code).toBe(78)
    expect(agent.output()).toContain('has 4 problems')
    expect(agent.output()).toContain('pools[0].slots: ')
    expect(agent.output()).toContain('pools[0].frob: is not a known setting')
    expect(agent.output()).toContain('pools[1].devices[0]: this host has no device 3, only cpu')
    expect(agent.output()).toContain('pools[1].model: there is no file /nowhere/x.gguf')
  })

  it('leaves no process and no port behind after SIGTERM', async () => {
    await using folder = await makePoolsFolder({ host: 'h1', pools: [simPool('a')] })
    const agent = startProcess(folder)
    const pid = await enginePid(agent, folder)
    const { httpPort, ingressPort } = await agent.ready()
    agent.child.kill('SIGTERM')
    const [code] = (await once(agent.child, 'exit')) as [number]
    expect(code).toBe(0)
    expect(isAlive(pid)).toBe(false)
    expect(await Promise.all([httpPort, ingressPort].map(isOpen))).toEqual([false, false])
  })

  it('ends the engines that an agent killed with SIGKILL left behind [003-NFR-011]', async () => {
    await using folder = await makePoolsFolder({ host: 'h1', pools: [simPool('a')] })
    const first = startProcess(folder)
    const orphan = await enginePid(first, folder)
    const { epoch } = await first.ready()
    first.child.kill('SIGKILL')
    await once(first.child, 'exit')
    expect(isAlive(orphan)).toBe(true)
    const second = startProcess(folder)
    const adopted = await enginePid(second, folder)
    expect(adopted).not.toBe(orphan)
    expect(isAlive(orphan)).toBe(false)
    expect((await second.ready()).epoch).toBeGreaterThan(epoch)
    second.child.kill('SIGTERM')
    await once(second.child, 'exit')
    expect(isAlive(adopted)).toBe(false)
  })
})
