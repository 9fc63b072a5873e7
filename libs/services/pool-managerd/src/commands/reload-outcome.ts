import { unreachable } from '@berth/kernel'
import type { ReloadEnd } from '@berth/supervision'
import type { Pool } from '../pool/pool.ts'
import type { OperationEnd } from './operations.ts'

/** How the reload of a pool ended, for whoever asked for it; `undefined` while it goes on. */
export const reloadOutcome = ({ supervised, spec }: Pool): OperationEnd | undefined => {
  const { lastReload: end, reload } = supervised
  if (reload || !end) return undefined
  const model = spec.modelRef || 'no model'
  switch (end.outcome) {
    case 'reloaded':
      return { kind: 'completed' }
    case 'kept':
      return failed(end, `${end.message} The pool serves ${model} as before.`)
    case 'rolled_back': {
      const told = `${end.message} It was rolled back: the pool serves ${model} again.`
      return { ...failed(end, told), isRolledBack: true }
    }
    case 'lost':
      return failed(end, `${end.message} The pool is ${supervised.state.kind}, of ${model}.`)
    case 'cancelled':
      return { kind: 'cancelled', reason: 'CANCELLED', message: `Cancelled: ${end.message}.` }
    default:
      return unreachable(end)
  }
}

const failed = (end: Extract<ReloadEnd, { readonly cause: unknown }>, message: string) =>
  ({ kind: 'failed', reason: reasonOf(end.cause), message }) as const

const reasonOf = (cause: Extract<ReloadEnd, { readonly cause: unknown }>['cause']): string => {
  if (cause === 'active_requests') return 'ACTIVE_REQUESTS'
  return cause === 'model_not_found' ? 'MODEL_NOT_FOUND' : 'MODEL_LOAD_FAILED'
}

/** The next life of the agent would not know of the model. */
export const notKept = (spec: Pool['spec'], why: string): OperationEnd => ({
  kind: 'failed',
  reason: 'INSUFFICIENT_DISK',
  message:
    `The pool serves ${spec.modelRef}, but an agent that is started again would serve ` +
    `${spec.writtenModelRef ?? spec.modelRef}: ${why}`,
})
