import { BerthError, type Clock } from '@berth/kernel'
import type { AdoptableEntry, JournalEntry } from '@berth/pool-managerd'
import type { SpawnRequest } from '@berth/runtime'
import { SimEngine, type EngineExit, type EngineFault } from './sim-engine.ts'
import { createSimLogs, type SimLogs } from './sim-logs.ts'

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

/** A process and the promise of its end. */
export interface Started {
  readonly engine: SimEngine
  readonly exited: Promise<EngineExit>
}

const FIRST_PORT = 20_000
/** Above what Linux gives: a pid of here names no process of the machine that simulates. */
const FIRST_PID = 10_000_000

/** A virtual host: memory, processes, ports and a disk, all of which outlive the agent. */
export class SimMachine {
  readonly logs: SimLogs = createSimLogs()
  /** What agents have written down, on disk. */
  readonly journal = new Map<string, JournalEntry>()
  readonly memoryBytes: number
  readonly #options: SimMachineOptions
  readonly #engines = new Map<number, SimEngine>()
  readonly #instanceOf = new Map<string, SimEngine>()
  readonly #processes = new Map<number, Started>()
  #lastPid = FIRST_PID
  #lastPort = FIRST_PORT
  #epoch = 0

  constructor(options: SimMachineOptions) {
    this.#options = options
    this.memoryBytes = options.memoryBytes
  }

  /** Engines that run, oldest first. */
  get engines(): readonly SimEngine[] {
    return [...this.#engines.values()]
  }

  get usedBytes(): number {
    return this.engines.reduce((sum, { options }) => sum + options.memoryBytes, 0)
  }

  engineAt(port: number): SimEngine | undefined {
    return this.engines.find(({ options }) => options.port === port)
  }

  /** A port nobody has had. */
  nextPort(): number {
    return (this.#lastPort += 1)
  }

  /** max(persisted + 1, now): as on a real disk. */
  nextEpoch(wallMs: number): number {
    return (this.#epoch = Math.max(this.#epoch + 1, Math.trunc(wallMs)))
  }

  /** Starts what the driver's command line asks for. */
  start(request: SpawnRequest): Started {
    const { clock, engineBytes, trace } = this.#options
    const { loadMs, fault } = this.#options.drawLife()
    const flag = flagsOf(request.argv)
    const pid = (this.#lastPid += 1)
    const [modelId, slots] = [flag('--model'), Number(flag('--slots'))]
    const poolId = request.cwd.split('/').at(-2) ?? ''
    const exited = Promise.withResolvers<EngineExit>()
    const engine = new SimEngine({
      ...{ pid, poolId, modelId, slots, loadMs, fault, clock },
      port: Number(flag('--port')),
      memoryBytes: engineBytes(modelId, slots),
      print: (line) => this.logs.print(request.stdoutPath, line),
      onExit: (exit) => {
        this.#engines.delete(pid)
        trace(`engine ${pid} of ${poolId} ended ${JSON.stringify(exit)}`)
        exited.resolve(exit)
      },
    })
    this.#engines.set(pid, engine)
    this.#instanceOf.set(request.env['BERTH_INSTANCE_ID'] ?? '', engine)
    trace(`engine ${pid} of ${poolId} started, ${fault}`)
    this.#checkMemory(poolId)
    const started = { engine, exited: exited.promise }
    this.#processes.set(pid, started)
    return started
  }

  /** What a new life of the agent takes over, by pool id; what it cannot, ends. */
  takeStock(): ReadonlyMap<string, AdoptableEntry> {
    const adoptable = new Map<string, AdoptableEntry>()
    for (const [instanceId, entry] of [...this.journal].reverse()) {
      const engine = this.#instanceOf.get(instanceId)
      if (engine?.isAlive && isAdoptable(entry) && !adoptable.has(entry.poolId)) {
        adoptable.set(entry.poolId, entry)
        continue
      }
      engine?.signal('SIGKILL')
      this.forget(instanceId)
    }
    return adoptable
  }

  /** The process a journal names, while this machine remembers it. */
  processOf(pid: number): Started | undefined {
    return this.#processes.get(pid)
  }

  forget(instanceId: string): void {
    const engine = this.#instanceOf.get(instanceId)
    if (engine) this.#processes.delete(engine.options.pid)
    this.#instanceOf.delete(instanceId)
    this.journal.delete(instanceId)
  }

  #checkMemory(poolId: string): void {
    const { name, onViolation } = this.#options
    const twins = this.engines.filter(({ options }) => options.poolId === poolId).length
    if (twins > 1) onViolation(`pool ${poolId} has ${twins} engines at once`)
    const { usedBytes, memoryBytes } = this
    if (usedBytes > memoryBytes) {
      onViolation(`memory of ${name} is oversubscribed: ${usedBytes} of ${memoryBytes}`)
    }
  }
}

const isAdoptable = (entry: JournalEntry): entry is AdoptableEntry => entry.process !== undefined

const flagsOf = (argv: readonly string[]) => (name: string) => {
  const at = argv.indexOf(name)
  if (at < 0) throw new BerthError('ENGINE_FAILED', `The engine was started without ${name}.`)
  return argv[at + 1] ?? ''
}
