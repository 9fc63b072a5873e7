/** The part of a pino logger that this lib uses: facts first, then a constant message. */
export interface RpcLog {
  debug(facts: object, message: string): void
  info(facts: object, message: string): void
  warn(facts: object, message: string): void
  error(facts: object, message: string): void
  child(bindings: Record<string, unknown>): RpcLog
}
