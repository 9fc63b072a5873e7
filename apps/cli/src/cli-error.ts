import type { ExitCode } from './exit-code.ts'

/** An end of a command that is told to the person: what happened, and what to do next. */
export class CliError extends Error {
  override readonly name = 'CliError'
  readonly exitCode: ExitCode
  readonly next: string

  /** `next` is an instruction or a command line. */
  constructor(exitCode: ExitCode, message: string, next: string, options?: ErrorOptions) {
    super(message, options)
    this.exitCode = exitCode
    this.next = next
  }
}
