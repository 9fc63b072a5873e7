import type { AskProbe, Journal, Machine } from '@berth/pool-managerd'
import type { Spawn } from '@berth/runtime'
import { answerProbe } from './answer-probe.ts'
import type { SimMachine } from './sim-machine.ts'
import type { SimProcess } from './sim-process.ts'

/** What a machine gives an agent of one life: nothing reaches an agent that is dead. */
export interface MachinePorts {
  readonly machine: Machine
  readonly spawn: Spawn
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
  },
  spawn: async (request) => {
    const { engine, exited } = machine.start(request)
    return {
      pid: engine.options.pid,
      startTime: String(engine.options.pid),
      onExit: (fn) =>
        void exited.then((exit) => {
          if (process.isAlive) fn(exit)
        }),
      signalGroup: (signal) => {
        if (process.isAlive) engine.signal(signal)
      },
      groupIsAlive: () => engine.isAlive,
    }
  },
  askProbe: (access, probe) => {
    const port = Number(new URL(access.baseUrl).port)
    return answerProbe(() => machine.engineAt(port), probe, process.clock)
  },
  journal: {
    intend: async (_poolId, instanceId) => void machine.journalled.add(instanceId),
    record: async () => undefined,
    forget: async (instanceId) => void machine.journalled.delete(instanceId),
  },
})
