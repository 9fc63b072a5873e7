import { createServer, type AddressInfo } from 'node:net'
import { afterAll, beforeAll, expect, it, jest } from '@jest/globals'
import { startNatsServer, type NatsServer } from '@berth/bus/testing'
import { startAgentProcess } from './testing/agent-process.ts'
import { eventually } from './testing/eventually.ts'
import { makePoolsFolder, simPool } from './testing/pools-folder.ts'

// Real processes on a machine that may be busy.
jest.setTimeout(60_000)

const ERROR = 'error'

let nats: NatsServer
beforeAll(async () => {
  nats = await startNatsServer({ jetstream: true })
})
afterAll(async () => {
  await nats[Symbol.asyncDispose]()
})

it('[003-NFR-014, 003-FR-048, 003-AC-018] every way in which an engine fails is a line of the log at level error, with its facts', async () => {
  const taken = createServer()
  await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve))
  await using ending = new AsyncDisposableStack()
  ending.defer(() => {
    taken.close()
  })
  const { port } = taken.address() as AddressInfo
  const once = { max_restarts_per_minute: 0, shutdown_grace_s: 0.2, health_check_interval_s: 0.1 }
  const patient = { ...once, model_load_timeout_s: 1, model_load_max_retries: 0 }
  const pools = [
    simPool('exit', { lifecycle: once }, { exit_code: 3 }),
    simPool('out_of_vram', { lifecycle: once }, { oom: true }),
    simPool('start_timeout', { lifecycle: patient }, { never_ready: true }),
    simPool('port_in_use', { lifecycle: { ...once, port } }),
    simPool('missing_runtime', { lifecycle: { ...once, binary_path: '/nowhere/engine' } }),
    simPool('signal', { lifecycle: once }),
    simPool('unhealthy', { lifecycle: { ...once, health_check_timeout_s: 0.2 } }),
  ].map((pool) => ({ ...pool, id: pool.id.replaceAll('_', '-') }))
  await using folder = await makePoolsFolder({ host: 'h1', pools })
  const agent = startAgentProcess(folder, nats.url, ['--stop-engines-on-exit'])
  ending.defer(async () => {
    await agent.end('SIGTERM')
  })
  process.kill((await agent.poolIsReady('signal')).pid, 'SIGKILL')
  process.kill((await agent.poolIsReady('unhealthy')).pid, 'SIGSTOP')
  const told = () =>
    agent
      .output()
      .split('\n')
      .filter((line) => line.startsWith('{') && line.endsWith('}'))
      .map((line) => JSON.parse(line) as Record<string, unknown>)
      .filter(({ msg, level }) => msg === 'engine ended' && level === ERROR)
  const lines = await eventually('each end is told', () => {
    const ends = told()
    return new Set(ends.map((line) => line['pool_id'])).size === pools.length && ends
  })
  for (const line of lines)
    expect(line).toMatchObject({
      ...{ engine: 'sim', model_id: 'sim-model', last_error: expect.stringMatching(/\w/) },
      crash_kind: String(line['pool_id']).replaceAll('-', '_'),
    })
})
