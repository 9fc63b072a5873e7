import { statSync } from 'node:fs'
import { join } from 'node:path'
import { every, type Clock } from '@berth/kernel'
import { spawnChild, type Child, type ChildExit } from '@berth/runtime'
import { boundLog } from './bound-log.ts'
import { CliError } from './cli-error.ts'
import { createDeathCount } from './death-count.ts'
import { EXIT } from './exit-code.ts'
import { isReady } from './is-ready.ts'
import type { Paths } from './paths.ts'
import { endProcesses } from './processes.ts'
import { tailOf } from './run-tool.ts'
import type { ProcessRecord } from './run-state.ts'
import type { ServicePlan } from './service-plan.ts'
import type { Terminal } from './terminal.ts'
import { waitUntil } from './wait-until.ts'

const RESTART_DELAY_MS = 500
/** A log and the one before it, of each service. */
const LOG_MAX_BYTES = 32 * 1024 * 1024
const LOG_LOOK_MS = 10_000
/** A configuration may have many problems, and all are shown. */
const PROBLEM_LINES = 200

export interface ServiceOptions {
  readonly plan: ServicePlan
  readonly paths: Paths
  readonly clock: Clock
  readonly terminal: Terminal
  readonly signal: AbortSignal
  /** The set of processes has changed. */
  onChange(): void
  /** It died more often than it is restarted. */
  onGiveUp(error: CliError): void
}

/** One process of the fleet: started again when it dies, until it has died too often. */
export interface Service extends AsyncDisposable {
  readonly name: string
  readonly logPath: string
  /** The process that runs now. */
  record(): ProcessRecord | undefined
  /** Resolves when it is ready, rejects when it ends or is not ready in time. */
  start(): Promise<void>
}

export const createService = (options: ServiceOptions): Service => {
  const { plan, paths, clock, terminal, signal } = options
  const logPath = join(paths.logsDir, `${plan.name}.log`)
  const deaths = createDeathCount()
  /** The log holds earlier runs as well. */
  let logStart = 0
  let child: Child | undefined
  let lastExit: ChildExit | undefined
  let isSettled = false
  let isStopping = false
  let cancelRestart = () => {}
  let stopBounding = () => {}

  const record = (): ProcessRecord | undefined =>
    child && { name: plan.name, pid: child.pid, startTime: child.startTime }

  const launch = async () => {
    const started = await spawnService(plan, paths.runDir, logPath)
    // The stop may have come while it was being started.
    if (isStopping) return started.signalGroup('SIGKILL')
    child = started
    options.onChange()
    started.onExit((exit) => {
      child = undefined
      lastExit = exit
      options.onChange()
      if (!isStopping && isSettled) onDeath(exit.signal ?? `code ${exit.code}`)
    })
  }

  const onDeath = (how: string) => {
    if (deaths.isOver(clock.now())) return options.onGiveUp(diedTooOften(plan.name, logPath))
    terminal.print(`! ${plan.name} ended (${how}); starting it again. Log: ${logPath}`)
    cancelRestart = clock.after(RESTART_DELAY_MS, () => {
      if (!isStopping) launch().catch(() => onDeath('could not be started'))
    })
  }

  return {
    name: plan.name,
    logPath,
    record,
    start: async () => {
      signal.throwIfAborted()
      boundLog(logPath, LOG_MAX_BYTES)
      stopBounding = every(clock, LOG_LOOK_MS, () => boundLog(logPath, LOG_MAX_BYTES))
      logStart = sizeOf(logPath)
      await launch()
      const wait = {
        ...{ clock, terminal, signal, timeoutMs: plan.startTimeoutMs },
        label: `Starting ${plan.name}`,
        next: `Read its log: ${logPath}`,
      }
      await waitUntil(wait, async () => {
        if (child === undefined) throw endedEarly(plan.name, { logPath, logStart, exit: lastExit })
        return (await isReady(plan)) || undefined
      })
      isSettled = true
    },
    [Symbol.asyncDispose]: async () => {
      isStopping = true
      cancelRestart()
      stopBounding()
      const running = record()
      if (running === undefined) return
      const left = await endProcesses(clock, [running], terminal.isHurried ? 0 : plan.stopTimeoutMs)
      if (left.length > 0) throw new Error(`${plan.name} (pid ${running.pid}) cannot be ended.`)
    },
  }
}

const spawnService = ({ argv }: ServicePlan, cwd: string, logPath: string) =>
  spawnChild({
    argv,
    env: process.env as Record<string, string>,
    cwd,
    stdoutPath: logPath,
    stderrPath: logPath,
  })

const sizeOf = (path: string) => statSync(path, { throwIfNoEntry: false })?.size ?? 0

interface EarlyEnd {
  readonly logPath: string
  readonly logStart: number
  readonly exit: ChildExit | undefined
}

const endedEarly = (name: string, { logPath, logStart, exit }: EarlyEnd) => {
  const isConfig = exit?.code === EXIT.config
  const said = tailOf(logPath, {
    fromByte: logStart,
    ...(isConfig ? { lines: PROBLEM_LINES } : {}),
  })
  return new CliError(
    isConfig ? EXIT.config : EXIT.failed,
    `${name} ended while starting:\n${said}`,
    `Read its log: ${logPath}`,
  )
}

const diedTooOften = (name: string, logPath: string) =>
  new CliError(
    EXIT.failed,
    `${name} keeps dying; giving up.\n${tailOf(logPath)}`,
    `Read its log: ${logPath}`,
  )
