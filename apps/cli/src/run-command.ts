import { messageOf } from '@berth/kernel'
import { createScope, type Scope } from '@berth/runtime'
import { CliError } from './cli-error.ts'
import { EXIT } from './exit-code.ts'
import { createTerminal, type Terminal } from './terminal.ts'

/** What every command gets. */
export interface CommandContext {
  /** Released in reverse order when the command has ended. */
  readonly scope: Scope
  /** Aborted by the first Ctrl-C; the command then ends as soon as it can. */
  readonly signal: AbortSignal
  readonly terminal: Terminal
}

/**
 * Runs one command and sets the exit code. The first SIGINT, SIGTERM or SIGHUP aborts it, and what
 * it holds is released; after a second one nothing is waited for (`terminal.isHurried`).
 */
export const runCommand = async (
  command: (context: CommandContext) => Promise<number>,
): Promise<void> => {
  // The reader of a pipe may go away; the command goes on.
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => undefined)
  const terminal = createTerminal(process.stdout, process.stderr)
  const controller = new AbortController()
  const onSignal = () => {
    terminal.isHurried = controller.signal.aborted
    controller.abort(new CliError(EXIT.interrupted, 'Interrupted.', 'Run it again to go on.'))
  }
  for (const signal of SIGNALS) process.on(signal, onSignal)
  const scope = createScope()
  try {
    process.exitCode = await command({ scope, signal: controller.signal, terminal })
  } catch (error) {
    process.exitCode = controller.signal.aborted ? EXIT.interrupted : explain(terminal, error)
  }
  try {
    await scope[Symbol.asyncDispose]()
  } catch (error) {
    process.exitCode = explain(terminal, error)
  }
  terminal.clear()
  for (const signal of SIGNALS) process.off(signal, onSignal)
}

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const

const explain = (terminal: Terminal, error: unknown): number => {
  terminal.error(messageOf(error))
  if (!(error instanceof CliError)) return EXIT.failed
  terminal.note(`→ ${error.next}`)
  return error.exitCode
}
