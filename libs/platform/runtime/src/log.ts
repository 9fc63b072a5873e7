import pino from 'pino'
import { z } from 'zod'
import { prettyDestination } from './log-pretty.ts'
import { redact } from './redact.ts'

/** A pino logger: constant messages, facts in fields. */
export type Logger = import('pino').Logger

/** Who logs, how much, and in what form. */
export interface LogOptions {
  /** The service, in the field `name` of every line. */
  readonly name: string
  readonly level: string
  /** `json` for machines, `pretty` for a person at a terminal. */
  readonly format: 'json' | 'pretty'
  /** Where lines go. Default: standard output, written synchronously so that an exit loses none. */
  readonly destination?: { write(line: string): void }
}

/** One logger to standard output. Secrets are redacted in every line, whatever their depth. */
export const createLogger = (options: LogOptions): Logger => {
  const stdout = options.destination ?? openStdout()
  return pino(
    {
      name: options.name,
      level: options.level,
      base: { pid: process.pid },
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      hooks: { streamWrite: redact },
    },
    options.format === 'pretty' ? prettyDestination(stdout) : stdout,
  )
}

/** What waits while standard output takes nothing; lines beyond it are lost. */
const MAX_WAITING_BYTES = 1_048_576

const openStdout = () => {
  const stdout = pino.destination({ dest: 1, sync: true, maxLength: MAX_WAITING_BYTES })
  // A full disk. Requests go on without a log, which comes back with the next line that fits.
  stdout.on('error', () => undefined)
  return stdout
}

/** A logger that writes nothing, for tests. */
export const createSilentLogger = (): Logger => pino({ level: 'silent' })

/** Settings of the log, to spread into the schema of a service. */
export const logConfigShape = {
  logLevel: z
    .enum(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'])
    .default('info')
    .describe('The least important lines that are written.'),
  logFormat: z
    .enum(['json', 'pretty'])
    .default('json')
    .describe('`pretty` is for people at a terminal.'),
}
