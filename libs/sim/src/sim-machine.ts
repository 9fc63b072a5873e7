import { BerthError, type Clock } from '@berth/kernel'
import type { AskProbe, Journal, Machine } from '@berth/pool-managerd'
import type { Spawn } from '@berth/runtime'
import { answerProbe } from './answer-probe.ts'
import { startSimEngine, type EngineFault, type SimEngine } from './sim-engine.ts'
import { createSimLogs } from './sim-logs.ts'
import type { SimProcess } from './sim-process.ts'

export interface SimMachineOptions {
  readonly name: string
  readonly clock: Clock
  readonly memoryBytes: number
  /** What an engine of a model takes, from its first moment to its end. */
  engineBytes(modelId: string, slots: number): number
  /** Drawn anew for each life. */
  drawLife(): { readonly loadMs: number; readonly fault: EngineFault }
  onViolation(what: string): void
  trace(what: string): void
}

/** What a machine gives an agent of one life: nothing reaches an agent that is dead. */
export interface MachinePorts {
  readonly machine: Machine
  readonly spawn: Spawn
  readonly askProbe: AskProbe
  readonly journal: Journal
}

/** A virtual host: memory, processes, ports and a disk, all of which outlive the agent. */
export interface SimMachine {
  /** Engines that run, oldest first. */
  readonly engines: readonly SimEngine[]
  readonly usedBytes: number
  readonly memoryBytes: number
  portsFor(process: SimProcess): MachinePorts
  engineAt(port: number): SimEngine | undefined
  /** max(persisted + 1, now): as on a real disk. */
  nextEpoch(wallMs: number): number
  /** Kills what the journal of an earlier life names. */
  reapOrphans(): void
}

const FIRST_PORT = 20_000

export const createSimMachine = (options: SimMachineOptions): SimMachine => {
  const { clock, memoryBytes, onViolation } = options
  const engines = new Map<number, SimEngine>()
  const journalled = new Set<string>()
  const instances = new Map<string, SimEngine>()
  const logs = createSimLogs()
  let lastPid = 100
  let lastPort = FIRST_PORT
  let epoch = 0

  const alive = () => [...engines.values()]
  const usedBytes = () => alive().reduce((sum, engine) => sum + engine.options.memoryBytes, 0)
  const engineAt = (port: number) => alive().find((engine) => engine.options.port === port)

  const start = (
    request: Parameters<Spawn>[0],
    onExit: (engine: SimEngine, exit: Exit) => void,
  ) => {
    const flag = flagsOf(request.argv)
    const { loadMs, fault } = options.drawLife()
    const pid = (lastPid += 1)
    const modelId = flag('--model')
    const slots = Number(flag('--slots'))
    const engine: SimEngine = startSimEngine({
      ...{ pid, modelId, slots, loadMs, fault, clock },
      poolId: request.cwd.split('/').at(-2) ?? '',
      port: Number(flag('--port')),
      memoryBytes: options.engineBytes(modelId, slots),
      print: (line) => logs.print(request.stdoutPath, line),
      onExit: (exit) => {
        engines.delete(pid)
        options.trace(`engine ${pid} of ${engine.options.poolId} ended ${JSON.stringify(exit)}`)
        onExit(engine, exit)
      },
    })
    engines.set(pid, engine)
    instances.set(request.env['BERTH_INSTANCE_ID'] ?? '', engine)
    options.trace(`engine ${pid} of ${engine.options.poolId} started, ${fault}`)
    checkMemory(engine)
    return engine
  }
  const checkMemory = (engine: SimEngine) => {
    const { poolId } = engine.options
    const twins = alive().filter((other) => other.options.poolId === poolId)
    if (twins.length > 1) onViolation(`pool ${poolId} has ${twins.length} engines at once`)
    if (usedBytes() > memoryBytes)
      onViolation(`memory of ${options.name} is oversubscribed: ${usedBytes()} of ${memoryBytes}`)
  }

  const portsFor = (process: SimProcess): MachinePorts => ({
    machine: {
      hasFile: async () => true,
      makeRoom: async ({ logPath }) => logs.clear(logPath),
      tailLog: ({ path, onLines }) =>
        logs.follow(path, (lines) => {
          if (process.isAlive) onLines(lines)
        }),
      findFreePort: async () => (lastPort += 1),
      portIsFree: async (port) => engineAt(port) === undefined,
      hashOfProcess: (pid) => `hash-${pid}`,
    },
    spawn: async (request) => {
      let ended: Exit | undefined
      const listeners: ((exit: Exit) => void)[] = []
      const engine = start(request, (_engine, exit) => {
        ended = exit
        for (const fn of listeners.splice(0)) if (process.isAlive) fn(exit)
      })
      return {
        pid: engine.options.pid,
        startTime: String(clock.now()),
        onExit: (fn) => {
          if (ended) fn(ended)
          else listeners.push(fn)
        },
        signalGroup: (signal) => {
          if (process.isAlive) engine.signal(signal)
        },
        groupIsAlive: () => engine.isAlive,
      }
    },
    askProbe: (access, probe) =>
      answerProbe(() => engineAt(Number(new URL(access.baseUrl).port)), probe, process.clock),
    journal: {
      intend: async (_poolId, instanceId) => void journalled.add(instanceId),
      record: async () => undefined,
      forget: async (instanceId) => {
        journalled.delete(instanceId)
        instances.delete(instanceId)
      },
    },
  })
  return {
    get engines() {
      return alive()
    },
    get usedBytes() {
      return usedBytes()
    },
    memoryBytes,
    portsFor,
    engineAt,
    nextEpoch: (wallMs) => (epoch = Math.max(epoch + 1, Math.trunc(wallMs))),
    reapOrphans: () => {
      for (const instanceId of journalled) instances.get(instanceId)?.signal('SIGKILL')
      journalled.clear()
      instances.clear()
    },
  }
}

interface Exit {
  readonly code: number | null
  readonly signal: string | null
}

const flagsOf = (argv: readonly string[]) => (name: string) => {
  const at = argv.indexOf(name)
  if (at < 0) throw new BerthError('ENGINE_FAILED', `The engine was started without ${name}.`)
  return argv[at + 1] ?? ''
}
