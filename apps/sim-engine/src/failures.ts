import { spawn } from 'node:child_process'
import { DEFAULT_KNOBS, type Knobs } from '@berth/sim-text'
import type { EngineDialect } from './dialect.ts'
import type { Engine } from './engine.ts'

/** Dies as the engine does when its device or its code fails: at once, with its last words. */
export const crash = (engine: Engine, dialect: EngineDialect): never => {
  for (const line of dialect.lines.crash) engine.host.err(line)
  return engine.host.exit(1)
}

export const dieOutOfMemory = (engine: Engine, dialect: EngineDialect): never => {
  for (const line of dialect.lines.oom(engine)) engine.host.err(line)
  return engine.host.exit(1)
}

/** As llama.cpp ends when it cannot load what it was given. */
export const dieOfBrokenModel = ({ knobs, host }: Engine): void => {
  if (knobs.brokenModel === '' || knobs.brokenModel !== knobs.model) return
  host.err(`srv load_model: failed to load model, '${knobs.model}'`)
  host.exit(1)
}

/** True when enough requests have ended for the process to crash. */
export const isCrashDue = ({ knobs, counters }: Engine): boolean =>
  knobs.crashAfterRequests > 0 &&
  counters.done + counters.aborted + counters.dropped >= knobs.crashAfterRequests

/**
 * Starts the clocks of the failures that `engine.knobs` ask for and `before` did not, and dies at
 * once of those that are due. Clocks are never taken back: the last word is the knob's value.
 */
export const armFailures = (
  engine: Engine,
  dialect: EngineDialect,
  before: Readonly<Knobs> = DEFAULT_KNOBS,
): void => {
  const { knobs } = engine
  if (knobs.exitCode >= 0 && before.exitCode !== knobs.exitCode) {
    if (knobs.exitAfterMs === 0) engine.host.exit(knobs.exitCode)
    setTimeout(() => {
      if (engine.knobs.exitCode >= 0) engine.host.exit(engine.knobs.exitCode)
    }, knobs.exitAfterMs).unref()
  }
  if (knobs.crashAfterMs > 0 && before.crashAfterMs !== knobs.crashAfterMs) {
    setTimeout(() => {
      if (engine.knobs.crashAfterMs > 0) crash(engine, dialect)
    }, knobs.crashAfterMs).unref()
  }
  if (engine.phase === 'ready' && knobs.isOom && dialect.diesOutOfMemory) {
    dieOutOfMemory(engine, dialect)
  }
  if (isCrashDue(engine)) crash(engine, dialect)
}

const ORPHAN = 'trap "" TERM; exec sleep 600'

/**
 * A worker that stays in our process group and survives us, as vLLM's workers can: it ignores
 * SIGTERM. It ends by itself after ten minutes, so that no test leaves one for good.
 */
export const spawnOrphan = (isDetached = false): number | undefined => {
  const child = spawn('/bin/sh', ['-c', ORPHAN], { stdio: 'ignore', detached: isDetached })
  child.unref()
  return child.pid
}
