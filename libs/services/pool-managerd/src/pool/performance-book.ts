import { foldSample, type Performance, type Sample } from './performance.ts'

/** What figures are of: another engine version, model or device has figures of its own. */
export interface Measured {
  readonly engine: string
  /** Empty where the engine does not tell. */
  readonly engineVersion: string
  /** Names model and quantisation. */
  readonly modelRef: string
  readonly devices: readonly string[]
}

/** Figures that outlive the agent. */
export interface PerformanceStore {
  find(of: Measured): Performance | undefined
  /** Written to disk soon, not at once. */
  keep(of: Measured, performance: Performance): void
}

/** What is known of the speed of one pool, of whatever it runs now. */
export interface PerformanceBook {
  readonly current: Performance | undefined
  /** The engine is up and this is what it runs: what was measured of the same counts again. */
  identify(of: Measured): void
  /** What was measured of another model says nothing of the next. */
  forget(): void
  fold(sample: Sample): void
}

export const createPerformanceBook = (store: PerformanceStore | undefined): PerformanceBook => {
  let of: Measured | undefined
  let current: Performance | undefined
  return {
    get current() {
      return current
    },
    identify: (next) => {
      if (of !== undefined && isSame(of, next)) return
      of = next
      current = store?.find(next)
    },
    forget: () => {
      of = undefined
      current = undefined
    },
    fold: (sample) => {
      current = foldSample(current, sample)
      if (of) store?.keep(of, current)
    },
  }
}

const isSame = (a: Measured, b: Measured): boolean => keyOf(a) === keyOf(b)

/** One text for one thing that can be measured. */
export const keyOf = (of: Measured): string => JSON.stringify([of.engineVersion, nameOf(of)])

/** The same without the version: figures of an older one make room. */
export const nameOf = ({ engine, modelRef, devices }: Measured): string =>
  JSON.stringify([engine, modelRef, devices])
