import { afterEach, describe, expect, it } from '@jest/globals'
import { drivers } from '@berth/drivers'
import { seededRng } from '@berth/kernel'
import { createSimClock } from '@berth/kernel/testing'
import { createSilentLogger, type Child, type ChildExit, type SpawnRequest } from '@berth/runtime'
import type { EngineDriver, ProbeResponse } from '@berth/supervision'
import type { LaunchEnv } from '../engine/launch-instance.ts'
import { createLogRing } from '../engine/log-ring.ts'
import { poolSchema } from '../pools-file/pool-schema.ts'
import { toPoolSpec } from '../pools-file/to-pool-spec.ts'
import { Supervisor } from './supervisor.ts'

const OK: ProbeResponse = {
  ...{ kind: 'answer', status: 200, tookMs: 1 },
  body: '{"data":[{"id":"sim-model"}]}',
}
const FIRST_PORT = 20_000

let supervisor: Supervisor | undefined
afterEach(() => supervisor?.[Symbol.dispose]())

/** A supervisor on a virtual clock, with processes that are only told of. */
const create = (answer: () => ProbeResponse, driver: EngineDriver = drivers.sim!) => {
  const clock = createSimClock()
  const spawned: SpawnRequest[] = []
  const exits: ((exit: ChildExit) => void)[] = []
  let isAlive = false
  const child = (): Child => ({
    ...{ pid: 4_000_000 + spawned.length, startTime: '1' },
    onExit: (fn) => {
      exits.push((exit) => {
        isAlive = false
        fn(exit)
      })
    },
    signalGroup: () => exits.at(-1)?.({ code: null, signal: 'SIGKILL' }),
    groupIsAlive: () => isAlive,
  })
  const nothing = async () => undefined
  const env: LaunchEnv = {
    ...{ clock, rng: seededRng(1), stateDir: '/s', nodePath: 'node', agentEnv: {} },
    ...{ enginesDir: '/e', embeddedRuntimeDir: '' },
    journal: { intend: nothing, record: nothing, forget: nothing },
    machine: {
      hasFile: async () => true,
      ...{ makeRoom: nothing, clearRoom: nothing },
      tailLog: () => ({ catchUp: nothing, [Symbol.asyncDispose]: nothing }),
      findFreePort: async () => FIRST_PORT + spawned.length,
      portIsFree: async () => true,
      ...{ holderOf: () => undefined, oomRecordOf: () => undefined, hashOfProcess: () => 'h' },
      ...{ findTree: () => [], killTree: () => undefined },
    },
    spawn: async (request) => {
      spawned.push(request)
      isAlive = true
      return child()
    },
  }
  const lifecycle = { idle_health_check_interval_s: 5 }
  const entry = { id: 'a', engine: 'sim', model: 'sim-model', lifecycle }
  const made = (supervisor = new Supervisor({
    spec: toPoolSpec(poolSchema.parse(entry), '/m'),
    ...{ driver, env, ring: createLogRing(), log: createSilentLogger() },
    askProbe: async () => answer(),
    hooks: {
      ...{ onChange: () => undefined, onTransition: () => undefined, onChecked: () => undefined },
      ...{ onInstanceEnded: () => undefined, onStep: () => undefined, onDigest: () => undefined },
      ...{ onModelKept: () => undefined, onMetrics: () => undefined },
      ...{ abortRequests: () => undefined, isIdle: () => true },
      whenIdle: (fn) => {
        fn()
        return () => undefined
      },
      activity: () => ({ relayedBytes: 0, answered: 0, leases: [] }),
    },
  }))
  const kind = () => made.supervised.state.kind
  return { clock, spawned, supervisor: made, kind, end: (exit: ChildExit) => exits.at(-1)?.(exit) }
}

describe('a clock that is set', () => {
  it.each([86_400_000, -86_400_000])(
    'by %i ms starts nothing, stops nothing and restarts nothing',
    async (stepMs) => {
      const { clock, spawned, supervisor: pool, kind } = create(() => OK)
      pool.dispatch({ kind: 'start' })
      await clock.advance(1_000)
      expect(kind()).toBe('ready')
      const { transitions } = pool.supervised
      clock.stepWall(stepMs)
      await clock.advance(400_000)
      expect(kind()).toBe('ready')
      expect(pool.supervised.transitions).toEqual(transitions)
      expect(spawned).toHaveLength(1)
    },
  )

  it('during a backoff neither ends it nor draws it out', async () => {
    const { clock, spawned, supervisor: pool, kind, end } = create(() => OK)
    pool.dispatch({ kind: 'start' })
    await clock.advance(10_000)
    end({ code: 1, signal: null })
    await clock.advance(500)
    expect(kind()).toBe('backoff')
    clock.stepWall(-86_400_000)
    await clock.advance(200)
    expect(spawned).toHaveLength(1)
    await clock.advance(600)
    expect(spawned).toHaveLength(2)
  })
})

describe('whatever a probe brings [003-TC-10]', () => {
  it('a driver that cannot read it makes it a failed check, and the agent lives on [002-26b]', async () => {
    let isBroken = false
    const readProbe: EngineDriver['readProbe'] = (probe, response, spec) => {
      if (isBroken) throw new TypeError('not what was expected')
      return drivers.sim!.readProbe(probe, response, spec)
    }
    const { clock, supervisor: pool, kind } = create(() => OK, { ...drivers.sim!, readProbe })
    pool.dispatch({ kind: 'start' })
    await clock.advance(1_000)
    expect(kind()).toBe('ready')
    isBroken = true
    await clock.advance(5_000)
    expect(pool.supervised.state).toMatchObject({ kind: 'ready', failures: 1 })
    expect(pool.supervised.lastError).toContain('not what was expected')
    isBroken = false
    await clock.advance(5_000)
    expect(pool.supervised.state).toMatchObject({ kind: 'ready', failures: 0 })
  })

  it('a question that cannot even be asked is a failed check [002-26b]', async () => {
    let isBroken = false
    const { clock, supervisor: pool } = create(() => {
      if (isBroken) throw new TypeError('Invalid URL')
      return OK
    })
    pool.dispatch({ kind: 'start' })
    await clock.advance(1_000)
    isBroken = true
    await clock.advance(5_000)
    expect(pool.supervised.state).toMatchObject({ kind: 'ready', failures: 1 })
    expect(pool.supervised.lastError).toContain('Invalid URL')
  })

  it('the third failed check in a row ends the engine, and another is started [001-HCW-3]', async () => {
    let isWell = true
    const {
      clock,
      spawned,
      supervisor: pool,
      kind,
    } = create(() => ({ ...OK, status: isWell ? 200 : 500 }))
    pool.dispatch({ kind: 'start' })
    await clock.advance(11_000)
    isWell = false
    await clock.advance(10_000)
    expect(pool.supervised.state).toMatchObject({ kind: 'ready', failures: 2 })
    expect(spawned).toHaveLength(1)
    await clock.advance(4_500)
    expect(kind()).toBe('backoff')
    isWell = true
    await clock.advance(2_500)
    expect(spawned).toHaveLength(2)
    expect(kind()).toBe('ready')
    expect(pool.supervised.history.total).toBe(1)
  })

  it('it is asked every 5 s, and stops being asked with the supervision [001-HCW-1, 001-HCW-4]', async () => {
    let asked = 0
    const { clock, supervisor: pool } = create(() => {
      asked += 1
      return OK
    })
    pool.dispatch({ kind: 'start' })
    await clock.advance(1_000)
    const before = asked
    await clock.advance(50_000)
    // Two probes each time, and the counters that are looked at for a hang.
    expect(asked - before).toBe(30)
    pool[Symbol.dispose]()
    expect(clock.pending()).toBe(0)
  })
})

it('a load that shows no sign of life is ended after 30 s, one that prints nothing more after 600', async () => {
  const silent = create(() => ({ kind: 'refused', error: 'ECONNREFUSED' }))
  silent.supervisor.dispatch({ kind: 'start' })
  await silent.clock.advance(29_000)
  expect(silent.kind()).toBe('starting')
  await silent.clock.advance(1_500)
  expect(silent.supervisor.supervised.lastError).toContain('No line of output')

  const loading = create(() => ({ kind: 'answer', status: 503, body: 'Loading model', tookMs: 1 }))
  loading.supervisor.dispatch({ kind: 'start' })
  await loading.clock.advance(599_000)
  expect(loading.kind()).toBe('starting')
  await loading.clock.advance(2_000)
  expect(loading.supervisor.supervised.lastError).toContain('Not ready 600 s after the start')
})
