import { once } from 'node:events'
import { connect } from 'node:net'
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals'
import { startNatsServer, type NatsServer } from '@berth/bus/testing'
import { startAgentProcess } from './testing/agent-process.ts'
import { isAlive } from './testing/is-alive.ts'
import { makePoolsFolder, simPool } from './testing/pools-folder.ts'

// Real processes on a machine that may be busy.
jest.setTimeout(40_000)

let nats: NatsServer
beforeAll(async () => {
  nats = await startNatsServer({ jetstream: true })
})
afterAll(async () => {
  await nats[Symbol.asyncDispose]()
})

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
  it('lists every problem of a bad pools file with its path and exits with 78 [003-FR-041]', async () => {
    await using folder = await makePoolsFolder({
      host: 'h1',
      pools: [
        simPool('a', { slots: 'many', frob: 1 }),
        { id: 'b', engine: 'embedded', model: 'file:/nowhere/x.gguf', devices: [3] },
      ],
    })
    const agent = startAgentProcess(folder, nats.url)
    const [code] = (await once(agent.child, 'close')) as [number]
    expect(code).toBe(78)
    expect(agent.output()).toContain('has 4 problems')
    expect(agent.output()).toContain('pools[0].slots: ')
    expect(agent.output()).toContain('pools[0].frob: is not a known setting')
    expect(agent.output()).toContain('pools[1].devices[0]: this host has no device 3, only cpu')
    expect(agent.output()).toContain('pools[1].model: there is no file /nowhere/x.gguf')
  })

  it('refuses the state directory of an agent that runs, and touches none of its engines', async () => {
    await using folder = await makePoolsFolder({ host: 'h1', pools: [simPool('a')] })
    const first = startAgentProcess(folder, nats.url, ['--stop-engines-on-exit'])
    const { pid } = await first.poolIsReady('a')
    const second = startAgentProcess(folder, nats.url)
    const [code] = (await once(second.child, 'close')) as [number]
    expect(code).toBe(78)
    expect(second.output()).toContain(`The agent with pid ${first.child.pid} uses the state`)
    expect(await first.status('a')).toMatchObject({ ready: true, pid })
    await first.end('SIGTERM')
  })

  it.each([
    ['its pools say so', { lifecycle: { stop_on_exit: true } }, []],
    ['it is told to', {}, ['--stop-engines-on-exit']],
  ])('leaves no process and no port behind after SIGTERM when %s', async (_why, more, flags) => {
    await using folder = await makePoolsFolder({ host: 'h1', pools: [simPool('a', more)] })
    const agent = startAgentProcess(folder, nats.url, flags)
    const { pid } = await agent.poolIsReady('a')
    const { httpPort, ingressPort, grpcPort } = await agent.ready()
    expect(await agent.end('SIGTERM')).toBe(0)
    expect(isAlive(pid)).toBe(false)
    const open = await Promise.all([httpPort, ingressPort, grpcPort].map(isOpen))
    expect(open).toEqual([false, false, false])
  })
})
