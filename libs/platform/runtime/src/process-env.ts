/** What the outside world says to a process, read once by `run` and handed on. */
export interface ProcessEnv {
  /** Arguments without the interpreter and the script. */
  readonly argv: readonly string[]
  readonly env: Readonly<Record<string, string | undefined>>
  readonly pid: number
}

/** The arguments and environment of this process. */
export const readProcessEnv = (): ProcessEnv =>
  Object.freeze({
    argv: Object.freeze(process.argv.slice(2)),
    env: Object.freeze({ ...process.env }),
    pid: process.pid,
  })
