import type { ServerResponse } from 'node:http'
import { assert, type CorrelationId } from '@berth/kernel'
import type { Access } from './access.ts'

/** What is known of one HTTP request beside the request itself. */
export interface RequestContext {
  readonly correlationId: CorrelationId
  readonly arrivedAtMs: number
  /** The route's template; a label, so never the path. */
  route: string
  /** Who calls; undefined until the route let them in. */
  access: Access | undefined
  /** Facts for the log line. Never any text of the request. */
  facts: Readonly<Record<string, unknown>>
}

const contexts = new WeakMap<ServerResponse, RequestContext>()

/** Ties a context to a response. */
export const setContext = (res: ServerResponse, context: RequestContext): void =>
  void contexts.set(res, context)

/** The context of a response that went through `correlate`. */
export const contextOf = (res: ServerResponse): RequestContext => {
  const context = contexts.get(res)
  assert(context !== undefined, 'every response has a context')
  return context
}
