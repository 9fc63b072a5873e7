import { once } from 'node:events'
import { afterAll, afterEach, beforeAll, expect, it, jest } from '@jest/globals'
import { startNatsServer, type NatsServer } from '@berth/bus/testing'
import { startAgentProcess, type AgentProcess } from './testing/agent-process.ts'
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

let agents: AgentProcess[] = []
afterEach(async () => {
  for (const { child, end } of agents)
    if (child.exitCode === null && child.signalCode === null) await end('SIGTERM')
  agents = []
})
const start = (folder: PoolsFolder, ...flags: readonly string[]) => {
  const agent = startAgentProcess(folder, nats.url, ['--stop-engines-on-exit', ...flags])
  agents.push(agent)
  return agent
}

it('a second agent of one host id does not start while the first answers, and may once it is gone', async () => {
  await using folder = await makePoolsFolder({ host: 'h1', pools: [simPool('a')] })
  await using other = await makePoolsFolder({ host: 'h1', pools: [simPool('b')] })
  const first = start(folder)
  const { pid } = await first.poolIsReady('a')
  const { grpcPort, epoch } = await first.ready()

  const second = start(other)
  const [code] = (await once(second.child, 'close')) as [number]
  expect(code).toBe(78)
  expect(second.output()).toContain(
    `Another agent is host h1 already: it answers at 127.0.0.1:${grpcPort} (epoch ${epoch})`,
  )
  expect(await first.status('a')).toMatchObject({ ready: true, pid })

  const named = start(other, '--host-id=h2')
  await named.poolIsReady('b')
  await named.end('SIGTERM')

  await first.end('SIGKILL')
  const third = start(other)
  await third.poolIsReady('b')
  await third.end('SIGTERM')
  const fourth = start(folder)
  await fourth.poolIsReady('a')
  await fourth.end('SIGTERM')
})
