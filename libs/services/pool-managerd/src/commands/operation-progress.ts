import { OperationType } from '@berth/contract'
import type { Supervised } from '@berth/supervision'
import type { Progress } from './operations.ts'

const STEPS: Readonly<Partial<Record<OperationType, readonly string[]>>> = {
  [OperationType.START]: ['start', 'probe'],
  [OperationType.STOP]: ['drain', 'stop'],
  [OperationType.RESTART]: ['drain', 'stop', 'start', 'probe'],
  [OperationType.DRAIN]: ['drain'],
  [OperationType.RELOAD]: ['drain', 'stage', 'stop', 'start', 'probe'],
}

/** Where an operation of a pool stands: the step it takes, and the share of steps behind it. */
export const progressOf = (type: OperationType, pool: Supervised): Progress | undefined => {
  const step = stepOf(pool)
  if (step === undefined) return undefined
  const steps = STEPS[type] ?? []
  const at = steps.indexOf(step)
  return { step, percent: at <= 0 ? 0 : Math.round((100 * at) / steps.length) }
}

const stepOf = ({ state, reload }: Supervised): string | undefined => {
  if (reload?.phase === 'roll_back') return 'roll_back'
  switch (state.kind) {
    case 'draining':
      return reload?.phase === 'stage' ? 'stage' : 'drain'
    case 'stopping':
    case 'crashed':
      return 'stop'
    case 'preparing':
      return 'start'
    case 'starting':
      return 'probe'
    case 'backoff':
      return 'wait'
    case 'ready':
    case 'stopped':
    case 'failed':
      return undefined
  }
}
