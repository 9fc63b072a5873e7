import type { LoadPhase } from './driver.ts'
import { LOAD_PHASES } from './load-step.ts'

/** Milliseconds that the phases of a load took. A phase that did not happen is absent. */
export type PhaseTimes = Readonly<Partial<Record<LoadPhase, number>>>

/** A phase under way. */
export interface PhaseSoFar {
  readonly phase: LoadPhase
  /** Of the phase, 0 to 100; absent when nobody says. */
  readonly percent?: number | undefined
  /** Where the phase began: a download that was resumed begins in its middle. */
  readonly fromPercent: number
  readonly elapsedMs: number
  /** A part of the model had to be fetched in this load. */
  readonly isFetched: boolean
}

/** What is said of a whole load while it goes on. */
export interface LoadForecast {
  /** 0 to 100. */
  readonly percent: number
  /** Absent when neither earlier loads nor this one tell. */
  readonly etaMs?: number
}

/** How the time of a load is shared by its phases where no earlier load tells. */
const USUAL: Required<PhaseTimes> = { download: 60, load: 30, compile: 5, warm: 5 }
/** A phase that takes longer than ever before is not over for that. */
const ALMOST = 0.95

/** How far a whole load has come, judged by how long earlier loads of the same model took. */
export const forecastLoad = (so: PhaseSoFar, earlier: PhaseTimes | undefined): LoadForecast => {
  const shares = sharesOf(so, earlier)
  const at = LOAD_PHASES.indexOf(so.phase)
  const done = fractionOf(so, earlier)
  const total = sum(LOAD_PHASES.map((phase) => shares[phase] ?? 0))
  const past = sum(LOAD_PHASES.slice(0, at).map((phase) => shares[phase] ?? 0))
  const percent = total === 0 ? 0 : (100 * (past + done * (shares[so.phase] ?? 0))) / total
  const left = leftOf(so, earlier)
  const later = sum(LOAD_PHASES.slice(at + 1).map((phase) => earlier?.[phase] ?? 0))
  return {
    percent: Math.min(100, percent),
    ...(left === undefined ? {} : { etaMs: Math.round(left + later) }),
  }
}

/** Phases this load has; one that no earlier load had takes its usual share of the others. */
const sharesOf = (so: PhaseSoFar, earlier: PhaseTimes | undefined): PhaseTimes => {
  const { download, ...rest } = earlier ?? USUAL
  const known: PhaseTimes = so.isFetched && download !== undefined ? { ...rest, download } : rest
  const missing = so.isFetched && known.download === undefined ? ['download' as const] : []
  const own = known[so.phase] === undefined ? [so.phase] : []
  const usual = sum(Object.keys(known).map((phase) => USUAL[phase as LoadPhase]))
  const scale = usual === 0 ? 1 : sum(Object.values(known)) / usual || 1
  const added = new Set([...missing, ...own])
  return {
    ...known,
    ...Object.fromEntries([...added].map((phase) => [phase, USUAL[phase] * scale])),
  }
}

const fractionOf = ({ phase, percent, elapsedMs }: PhaseSoFar, earlier: PhaseTimes | undefined) => {
  if (percent !== undefined) return percent / 100
  const expected = earlier?.[phase]
  return expected === undefined || expected <= 0 ? 0 : Math.min(ALMOST, elapsedMs / expected)
}

/** Of the phase, by its own pace, else by that of earlier loads. */
const leftOf = (
  { phase, percent, fromPercent, elapsedMs }: PhaseSoFar,
  earlier: PhaseTimes | undefined,
): number | undefined => {
  if (percent !== undefined && percent > fromPercent)
    return (elapsedMs * (100 - percent)) / (percent - fromPercent)
  const expected = earlier?.[phase]
  return expected === undefined ? undefined : Math.max(0, expected - elapsedMs)
}

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0)

/** How much the newest load counts against the ones before it. */
const NEWEST = 0.5

/** What is kept of earlier loads after one more. A download is timed only where there was one. */
export const learnTimes = (earlier: PhaseTimes | undefined, took: PhaseTimes): PhaseTimes => ({
  ...(earlier?.download === undefined ? {} : { download: earlier.download }),
  ...Object.fromEntries(
    LOAD_PHASES.flatMap((phase) => {
      const [before, now] = [earlier?.[phase], took[phase]]
      if (now === undefined) return []
      return [[phase, before === undefined ? now : before + NEWEST * (now - before)]]
    }),
  ),
})
