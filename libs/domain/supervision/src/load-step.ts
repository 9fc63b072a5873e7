import type { LoadPhase } from './driver.ts'

/** What somebody saw of a load: an engine by its log, or whoever fetches its files. */
export interface LoadSign {
  readonly phase: LoadPhase
  /** Of the phase, 0 to 100. */
  readonly percent?: number
  readonly bytesDone?: number
  readonly bytesTotal?: number
}

/** Where a load stands. It only ever goes on: what was reached is not taken back. */
export interface LoadStep extends LoadSign {
  /** When the phase began. */
  readonly phaseAt: number
  /** When it last came further: another phase, more percent, more bytes. */
  readonly advancedAt: number
}

/** The phases of a load in their order. */
export const LOAD_PHASES = ['download', 'load', 'compile', 'warm'] as const satisfies LoadPhase[]

/**
 * A load after a sign of it. A sign of a phase that is over, and one that tells nothing new,
 * changes nothing; figures that cannot be are left out.
 */
export const advance = (
  step: LoadStep | undefined,
  sign: LoadSign,
  now: number,
): LoadStep | undefined => {
  const { phase } = sign
  const read = readFigures(sign)
  if (!step || LOAD_PHASES.indexOf(phase) > LOAD_PHASES.indexOf(step.phase))
    return { ...bytesOf(step), ...read, phase, phaseAt: now, advancedAt: now }
  if (phase !== step.phase) return step
  const isFurther =
    (read.percent ?? 0) > (step.percent ?? 0) || (read.bytesDone ?? 0) > (step.bytesDone ?? 0)
  return isFurther ? { ...step, ...higher(step, read), advancedAt: now } : step
}

/** What was fetched is told on while the engine loads it. */
const bytesOf = (step: LoadStep | undefined): Partial<LoadStep> => ({
  ...(step?.bytesDone === undefined ? {} : { bytesDone: step.bytesDone }),
  ...(step?.bytesTotal === undefined ? {} : { bytesTotal: step.bytesTotal }),
})

const readFigures = ({ percent, bytesDone, bytesTotal }: LoadSign): Omit<LoadSign, 'phase'> => ({
  ...(isFigure(percent) ? { percent: Math.min(100, percent) } : {}),
  ...(isFigure(bytesDone) ? { bytesDone } : {}),
  ...(isFigure(bytesTotal) ? { bytesTotal } : {}),
})

/** Beyond it nothing is counted one by one any more. */
const isFigure = (value: number | undefined): value is number =>
  value !== undefined && value >= 0 && value <= Number.MAX_SAFE_INTEGER

const higher = (step: LoadStep, read: Omit<LoadSign, 'phase'>): Omit<LoadSign, 'phase'> => ({
  ...read,
  ...(read.percent === undefined ? {} : { percent: Math.max(read.percent, step.percent ?? 0) }),
  ...(read.bytesDone === undefined
    ? {}
    : { bytesDone: Math.max(read.bytesDone, step.bytesDone ?? 0) }),
})
