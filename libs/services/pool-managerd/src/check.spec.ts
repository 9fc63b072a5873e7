import { execFile } from 'node:child_process'
import { mkdir, writeFile } from 'node:fs/promises'
import { createServer, type AddressInfo } from 'node:net'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals'
import { startNatsServer, type NatsServer } from '@berth/bus/testing'
import { startAgentProcess } from './testing/agent-process.ts'
import { makeFakeGpuTools, gpuTable } from './testing/fake-gpu-tools.ts'
import { makePoolsFolder, simPool, type PoolsFolder } from './testing/pools-folder.ts'

// Real processes on a machine that may be busy.
jest.setTimeout(60_000)

const MAIN = new URL('../../../../apps/pool-managerd/src/main.ts', import.meta.url).pathname

let nats: NatsServer
beforeAll(async () => {
  nats = await startNatsServer({ jetstream: true })
})
afterAll(async () => {
  await nats[Symbol.asyncDispose]()
})

interface Line {
  readonly check: string
  readonly status: string
  readonly message: string
  readonly advice?: string
}

const run = (flags: readonly string[], env: Readonly<Record<string, string>> = {}) =>
  new Promise<{ code: number; stdout: string; stderr: string }>((resolve) => {
    const options = { env: { ...process.env, ...env } }
    execFile(process.execPath, [MAIN, 'check', ...flags], options, (error, stdout, stderr) =>
      resolve({ code: Number(error?.code ?? 0), stdout, stderr }),
    )
  })
const checkOf = async (
  folder: PoolsFolder,
  flags: readonly string[] = [],
  env: Readonly<Record<string, string>> = {},
) => {
  const { code, stdout } = await run(
    [
      ...['--json', '--grpc-port=0', '--ingress-port=0', '--http-port=0'],
      ...['--pools', folder.poolsFile, '--state-dir', folder.stateDir],
      ...['--engines-dir', folder.dir, '--nats-url', nats.url],
      ...flags,
    ],
    env,
  )
  const { lines } = JSON.parse(stdout) as { readonly lines: readonly Line[] }
  return { code, lines, of: (check: string) => lines.find((line) => line.check === check) }
}
const pools = (...entries: readonly object[]) => ({ host: 'h1', pools: entries })

describe('pool-managerd check', () => {
  it('finds a host well, says so line by line, and starts nothing', async () => {
    await using folder = await makePoolsFolder(pools(simPool('a')))
    const { code, lines, of } = await checkOf(folder)
    expect(lines.filter(({ status }) => status === 'fail')).toEqual([])
    expect(code).toBe(0)
    expect(of('pools file')?.message).toContain('host h1: a (sim)')
    expect(of('pool a')).toMatchObject({ status: 'ok' })
    expect(of('NATS')?.message).toContain('with JetStream')
    expect(of('core')).toMatchObject({ status: 'warn' })
    expect(of('state directory')?.message).toContain('will be made')
  })

  it('tells people the same with what to do next', async () => {
    await using folder = await makePoolsFolder(pools(simPool('a', { slots: 'many' })))
    const { code, stdout } = await run(['--pools', folder.poolsFile, '--nats-url', nats.url])
    expect(code).toBe(1)
    expect(stdout).toContain('fail  pools file: ')
    expect(stdout).toContain('pools[0].slots: ')
    expect(stdout).toContain('→ Mend these and check again')
    expect(stdout).toMatch(/\d+ ok, \d+ warn, \d+ fail\n$/)
  })

  it('names an engine that cannot be run, a taken port, and rights that are wrong', async () => {
    await using folder = await makePoolsFolder(
      pools(
        simPool('gone', { lifecycle: { binary_path: '/nowhere/engine' } }),
        { id: 'native', engine: 'embedded', model: 'file:m.gguf' },
        { id: 'empty', engine: 'embedded' },
      ),
    )
    await writeFile(join(folder.dir, 'm.gguf'), 'weights')
    await writeFile(join(folder.dir, 'embedded-engine.js'), '')
    await mkdir(folder.stateDir)
    await writeFile(join(folder.stateDir, 'instances.json'), '[]', { mode: 0o644 })
    const server = createServer()
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const { port } = server.address() as AddressInfo
    const runtime = '--embedded-runtime-dir=/nowhere'
    const { code, of } = await checkOf(folder, [`--ingress-port=${port}`, runtime])
    server.close()
    expect(code).toBe(1)
    expect(of('pool gone')?.message).toBe('its program /nowhere/engine cannot be run')
    expect(of('pool native')?.message).toContain('node-llama-cpp is not in /nowhere')
    expect(of('pool empty')).toMatchObject({ status: 'warn', message: 'it has no model: it rests' })
    expect(of('port ingress')?.message).toContain(`process ${process.pid} (`)
    expect(of('state directory')?.advice).toContain('chmod 600')
  })

  it('shows every GPU, and a driver that is broken with its remedy', async () => {
    await using folder = await makePoolsFolder(pools(simPool('a', { devices: [0] })))
    await using tools = await makeFakeGpuTools()
    await tools.set('gpus.csv', gpuTable({}))
    const well = await checkOf(folder, [], tools.env)
    expect(well.of('GPU 0')?.message).toContain('NVIDIA L4, 22.5 GiB, driver 550.90.07')
    expect(well.code).toBe(0)
    await tools.set('gpus.csv', gpuTable({ gpu_recovery_action: 'Reset' }))
    const ill = await checkOf(folder, [], tools.env)
    expect(ill.of('GPU 0')).toMatchObject({
      status: 'fail',
      advice: expect.stringMatching(/reset/i),
    })
    expect(ill.code).toBe(1)
  })

  it('says of a NATS that is away what to do, and of what cannot be known without it', async () => {
    await using folder = await makePoolsFolder(pools(simPool('a')))
    const { code, of } = await checkOf(folder, ['--nats-url', 'nats://127.0.0.1:9'])
    expect(code).toBe(1)
    expect(of('NATS')).toMatchObject({ status: 'fail' })
    expect(of('NATS')?.advice).toContain('Start it')
    expect(of('core')?.message).toContain('NATS does not answer')
  })

  it('compares the clock once somebody uses the NATS, and knows the doors of the agent that runs', async () => {
    await using folder = await makePoolsFolder(pools(simPool('a')))
    const agent = startAgentProcess(folder, nats.url, ['--stop-engines-on-exit'])
    await agent.poolIsReady('a')
    const { grpcPort } = await agent.ready()
    const { code, of } = await checkOf(folder, [`--grpc-port=${grpcPort}`])
    expect(code).toBe(0)
    expect(of('clock')).toMatchObject({ status: 'ok', message: expect.stringMatching(/^\d+ ms /) })
    expect(of('port grpc')?.message).toContain(`(pid ${agent.child.pid}) has it`)
    await agent.end('SIGTERM')
  })

  it('exits with 78 for a flag that it does not know', async () => {
    const { code, stderr } = await run(['--frob'])
    expect(code).toBe(78)
    expect(stderr).toContain('--frob')
  })
})
