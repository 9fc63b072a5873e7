import { kill } from 'node:process'
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals'
import { connectBus, subjects, type Bus } from '@berth/bus'
import { startNatsServer, type NatsServer } from '@berth/bus/testing'
import { PoolState, type Event, type HostSnapshot, type Pool } from '@berth/contract'
import { createSilentLogger } from '@berth/runtime'
import { startTestAgent, type AgentUnderTest } from './testing/agent-under-test.ts'
import { eventually } from './testing/eventually.ts'
import { simPool } from './testing/pools-folder.ts'

// Real processes on a machine that may be busy.
jest.setTimeout(40_000)

let nats: NatsServer
let bus: Bus
const events: Event[] = []
const snapshots: HostSnapshot[] = []
beforeAll(async () => {
  nats = await startNatsServer({ jetstream: true })
  bus = await connectBus({ url: nats.url, name: 'spec', log: createSilentLogger() })
  bus.subscribe(subjects.allEvents, (event) => events.push(event))
  bus.watchLatest(subjects.allHostSnapshots, (snapshot) => snapshots.push(snapshot))
})
afterAll(async () => {
  await bus[Symbol.asyncDispose]()
  await nats[Symbol.asyncDispose]()
})

/** The first end of an instance that the agent has told of. */
const firstExit = (test: AgentUnderTest) =>
  eventually('an instance has ended', () => {
    const epoch = BigInt(test.agent.epoch)
    return events.flatMap(({ epoch: of, kind }) =>
      of === epoch && kind.case === 'instanceExited' ? [kind.value] : [],
    )[0]
  })

describe('an engine that crashes', () => {
  it('is told with its signal, and is back after backoff and load', async () => {
    await using test = await startTestAgent(nats.url, [simPool('a', {}, { load_ms: 300 })])
    const before = await test.reaches('a', PoolState.READY)
    // Two seconds after its start nothing but the backoff holds up the next one.
    await eventually('it has run for a while', () => Date.now() > Number(before.upSinceMs) + 1_500)
    const killedAt = performance.now()
    kill(before.pid, 'SIGKILL')
    const after = await eventually('another instance is ready', async () => {
      const pool = await test.status('a')
      return pool.ready && pool.instanceId !== before.instanceId && pool
    })
    const tookMs = Math.round(performance.now() - killedAt)
    process.stdout.write(`${JSON.stringify({ spec: 'crash-to-ready', loadMs: 300, tookMs })}\n`)
    expect(after.restartCount).toBe(1)
    const exit = await firstExit(test)
    expect(exit).toMatchObject({
      instanceId: before.instanceId,
      signal: 'SIGKILL',
      crashKind: 'signal',
      willRestart: true,
    })
    expect(exit.exitCode).toBeUndefined()
    expect(Number(exit.backoffMs)).toBeLessThanOrEqual(1_100)
  })

  it('is told with its exit code', async () => {
    const lifecycle = { max_restarts_per_minute: 0 }
    await using test = await startTestAgent(nats.url, [
      simPool('a', { lifecycle }, { exit_code: 3 }),
    ])
    expect(await firstExit(test)).toMatchObject({ exitCode: 3, signal: '', willRestart: false })
  })

  it('is told on the bus with its last error, as the version of the engine was [002-11c]', async () => {
    const lifecycle = { max_restarts_per_minute: 0 }
    await using test = await startTestAgent(nats.url, [simPool('a', { lifecycle })])
    const { pid } = await test.reaches('a', PoolState.READY)
    const told = (what: string, is: (pool: Pool) => boolean) =>
      eventually(what, () =>
        snapshots.some(
          ({ epoch, pools }) =>
            epoch === BigInt(test.agent.epoch) && pools.some((pool) => is(pool)),
        ),
      )
    await told('its version', (pool) => pool.engineVersion !== '' && pool.lastError === '')
    kill(pid, 'SIGSEGV')
    await told('its last error', ({ lastError }) => lastError.includes('SIGSEGV'))
    expect(await firstExit(test)).toMatchObject({ signal: 'SIGSEGV' })
  })

  it('takes its pool out with a snapshot of its own, sent at that moment [003-NFR-010]', async () => {
    await using test = await startTestAgent(nats.url, [simPool('a')])
    const { pid, instanceId } = await test.reaches('a', PoolState.READY)
    const ofAgent = () =>
      snapshots.filter(({ epoch }) => epoch === BigInt(test.agent.epoch)).map((s) => s.pools[0]!)
    await eventually('it was ready', () => ofAgent().some(({ ready }) => ready))
    kill(pid, 'SIGKILL')
    await eventually('the pool backs off', () =>
      ofAgent().some(({ state }) => state === PoolState.BACKOFF),
    )
    // Long over when the next urgent snapshot would have been due.
    const crashed = ofAgent().filter(({ state }) => state === PoolState.CRASHED)
    expect(crashed.length).toBeGreaterThan(0)
    expect(crashed[0]).toMatchObject({ ready: false, instanceId })
    expect(crashed[0]!.lastError).not.toBe('')
  })
})
