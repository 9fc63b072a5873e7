import { constants } from 'node:os'
import { BerthError } from '@berth/kernel'
import { createLogger, type Logger } from './log.ts'
import { readProcessEnv, type ProcessEnv } from './process-env.ts'
import { createScope, type Scope } from './scope.ts'

/** `EX_CONFIG` of sysexits.h: a service manager should not restart on it. */
export const EXIT_CONFIG = 78
const EXIT_FAILED = 1

/** How a process ends. */
export interface RunOptions {
  /** From the signal until the process is ended by force, in milliseconds. Default 10,000. */
  readonly shutdownTimeoutMs?: number
}

/**
 * The life of a service process. `main` builds the service inside `scope` and may return; the
 * process then lives until SIGTERM or SIGINT, which aborts `scope.signal` and releases the scope
 * in reverse order. A second signal exits at once with 128 + its number.
 *
 * Exit codes: 0 after an orderly end, 78 for `CONFIG_INVALID` (the message goes to stderr), 1 for
 * any other failed start, a failed release, an unhandled error, or a shutdown that hung.
 */
export const run = async (
  name: string,
  main: (scope: Scope, processEnv: ProcessEnv) => Promise<void>,
  options: RunOptions = {},
): Promise<void> => {
  const log = createLogger({ name, level: 'info', format: 'json' })
  dieOnUnhandled(log)
  const scope = createScope()
  const signalled = firstSignal(log)
  const started = main(scope, readProcessEnv()).then(
    () => undefined,
    (thrown: unknown) => ({ thrown }),
  )
  const failure = await holdOpen(Promise.race([started.then((f) => f ?? signalled), signalled]))
  if (failure) reportFailedStart(log, name, failure.thrown)
  armBackstop(log, options.shutdownTimeoutMs ?? 10_000)
  await release(log, scope, started)
}

/**
 * With every resource released the event loop is empty and the process ends by itself. What still
 * holds it open is a leak, which the backstop names and ends.
 */
const release = async (log: Logger, scope: AsyncDisposable, started: Promise<unknown>) => {
  const endCode = process.exitCode ?? 0
  // Stands if a release never settles and the loop runs empty around it.
  process.exitCode ??= EXIT_FAILED
  try {
    await scope[Symbol.asyncDispose]()
    process.exitCode = endCode
    // A start that was cut short still ends: what it opens late, the scope releases.
    await started
    await scope[Symbol.asyncDispose]()
  } catch (error) {
    log.error({ err: error }, 'release failed')
    process.exitCode = EXIT_FAILED
  }
}

/** A promise alone does not keep a process alive; this does until it settles. */
const holdOpen = async <T>(promise: Promise<T>): Promise<T> => {
  const hold = setInterval(() => undefined, 2 ** 30)
  try {
    return await promise
  } finally {
    clearInterval(hold)
  }
}

/** Resolves on the first SIGTERM or SIGINT; the second ends the process. */
const firstSignal = (log: Logger): Promise<undefined> =>
  new Promise((resolve) => {
    let count = 0
    const onSignal = (signal: 'SIGTERM' | 'SIGINT') => {
      count += 1
      if (count > 1) process.exit(128 + constants.signals[signal])
      log.info({ signal }, 'shutdown began')
      resolve(undefined)
    }
    process.on('SIGTERM', onSignal)
    process.on('SIGINT', onSignal)
  })

const reportFailedStart = (log: Logger, name: string, thrown: unknown) => {
  if (thrown instanceof BerthError && thrown.reason === 'CONFIG_INVALID') {
    process.stderr.write(`${name}: ${thrown.message}\n`)
    process.exitCode = EXIT_CONFIG
    return
  }
  const text = thrown instanceof BerthError ? thrown.message : inspectError(thrown)
  process.stderr.write(`${name}: ${text}\n`)
  log.fatal({ err: thrown }, 'start failed')
  process.exitCode = EXIT_FAILED
}

const inspectError = (thrown: unknown): string =>
  Error.isError(thrown) ? (thrown.stack ?? String(thrown)) : String(thrown)

const dieOnUnhandled = (log: Logger) => {
  const die = (error: unknown, origin: string) => {
    log.fatal({ err: error, origin }, 'unhandled error')
    process.exit(EXIT_FAILED)
  }
  process.on('uncaughtException', die)
  process.on('unhandledRejection', (reason) => die(reason, 'unhandledRejection'))
}

const armBackstop = (log: Logger, timeoutMs: number) => {
  const onTimeout = () => {
    log.fatal({ timeoutMs, held: process.getActiveResourcesInfo() }, 'shutdown timed out')
    process.exit(EXIT_FAILED)
  }
  setTimeout(onTimeout, timeoutMs).unref()
}
