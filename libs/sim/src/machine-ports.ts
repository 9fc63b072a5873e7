import { BerthError } from '@berth/kernel'
import type { AskProbe, Journal, Machine } from '@berth/pool-managerd'
import type { Adopt, Child, Spawn } from '@berth/runtime'
import { answerProbe } from './answer-probe.ts'
import type { EngineExit } from './sim-engine.ts'
import type { SimMachine, Started } from './sim-machine.ts'
import type { SimProcess } from './sim-process.ts'

/** What a machine gives an agent of one life: nothing reaches an agent that is dead. */
export interface MachinePorts {
  readonly machine: Machine
  readonly spawn: Spawn
  readonly adopt: Adopt
  readonly askProbe: AskProbe
  readonly journal: Journal
}

/** The machine as one life of an agent sees it. */
export const portsOf = (machine: SimMachine, process: SimProcess): MachinePorts => ({
  machine: {
    hasFile: async () => true,
    makeRoom: async ({ logPath }) => machine.logs.clear(logPath),
    tailLog: ({ path, onLines }) =>
      machine.logs.follow(path, (lines) => {
        if (process.isAlive) onLines(lines)
      }),
    findFreePort: async () => machine.nextPort(),
    portIsFree: async (port) => machine.engineAt(port) === undefined,
    hashOfProcess: (pid) => `hash-${pid}`,
    clearRoom: async () => undefined,
    holderOf: () => undefined,
    oomRecordOf: () => undefined,
    findTree: () => [],
    killTree: () => undefined,
  },
  spawn: async (request) => {
    const started = machine.start(request)
    return childOf(started, process, started.exited)
  },
  adopt: ({ pid }) => {
    const known = machine.processOf(pid)
    if (!known) throw new BerthError('ENGINE_FAILED', `There is no process ${pid}.`)
    // Nobody but its parent hears how a process ended.
    return childOf(
      known,
      process,
      known.exited.then(() => ({ code: null, signal: null })),
    )
  },
  askProbe: (access, probe, signal) => {
    const port = Number(new URL(access.baseUrl).port)
    return answerProbe(() => machine.engineAt(port), probe, { clock: process.clock, signal })
  },
  journal: {
    intend: async (poolId, instanceId, specHash) => {
      if (process.isAlive) machine.journal.set(instanceId, { poolId, instanceId, specHash })
    },
    record: async (instanceId, known) => {
      const entry = machine.journal.get(instanceId)
      if (!process.isAlive || !entry) return
      machine.journal.set(instanceId, { ...entry, process: { ...known, bootId: 'boot' } })
    },
    forget: async (instanceId) => {
      if (process.isAlive) machine.forget(instanceId)
    },
  },
})

const childOf = ({ engine }: Started, process: SimProcess, exited: Promise<EngineExit>): Child => {
  let isWatched = true
  return {
    pid: engine.options.pid,
    startTime: String(engine.options.pid),
    onExit: (fn) =>
      void exited.then((exit) => {
        if (process.isAlive && isWatched) fn(exit)
      }),
    signalGroup: (signal) => {
      if (process.isAlive) engine.signal(signal)
    },
    groupIsAlive: () => engine.isAlive,
    release: () => {
      isWatched = false
    },
  }
}
