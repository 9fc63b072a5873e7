/** What one load taught of another like it. */
export interface Correction {
  readonly learnKey: string
  /** Observed over estimated: a moving average. */
  readonly ratio: number
  readonly samples: number
}

/** What was learned, the oldest first; bounded. Plain data, so that an agent can keep it. */
export type Corrections = readonly Correction[]

/** Nothing learned yet. */
export const NO_CORRECTIONS: Corrections = []

/** What tells loads apart whose memory differs. */
export interface LearnSubject {
  /** A digest where one is known, else the reference. */
  readonly model: string
  readonly engine: string
  /** As the engine says it, such as `0.11.2`, `b8193` or `0.5.0-dev (build 1, commit de3ff81)`. */
  readonly engineVersion: string
  /** Whatever changes its memory: options, flags, context, slots, the device mask. */
  readonly flags: Readonly<Record<string, string | number | boolean | undefined>>
}

/** The key that loads alike share: patch releases of an engine are alike. At most 160 characters. */
export const correctionKey = ({ model, engine, engineVersion, flags }: LearnSubject): string => {
  const sorted = Object.entries(flags)
    .filter(([, value]) => value !== undefined)
    .sort(([a], [b]) => (a < b ? -1 : 1))
  const hash = fingerprint(JSON.stringify([model, sorted]))
  const name = model.replaceAll(/[^\w.:/-]/g, '').slice(-72)
  return `${engine.slice(0, 16)}@${versionClass(engineVersion)} ${name} ${hash}`
}

/** Observed over estimated in earlier loads alike; 1 when there was none. */
export const correctionFor = (corrections: Corrections, learnKey: string): number =>
  corrections.find((each) => each.learnKey === learnKey)?.ratio ?? 1

/**
 * Learns from a load that was estimated at `estimateBytes` and took `usedBytes`. The first one is
 * believed at once, so that the next estimate is right; later ones move the average by half.
 * Nothing is learned of figures that are not above 0. The least recently learned is forgotten.
 */
export const learn = (
  corrections: Corrections,
  learnKey: string,
  { estimateBytes, usedBytes }: { readonly estimateBytes: number; readonly usedBytes: number },
): Corrections => {
  if (!(estimateBytes > 0) || !(usedBytes > 0)) return corrections
  const seen = clamp(usedBytes / estimateBytes)
  const before = corrections.find((each) => each.learnKey === learnKey)
  const ratio = before ? before.ratio + NEWEST_WEIGHT * (seen - before.ratio) : seen
  const samples = Math.min((before?.samples ?? 0) + 1, MAX_SAMPLES)
  const others = corrections.filter((each) => each.learnKey !== learnKey)
  return [...others, { learnKey, ratio, samples }].slice(-MAX_CORRECTIONS)
}

/** What an earlier life wrote down, as far as it can be understood; never throws. */
export const readCorrections = (value: unknown): Corrections => {
  if (!Array.isArray(value)) return NO_CORRECTIONS
  return value.slice(-MAX_CORRECTIONS).flatMap((each: unknown) => {
    if (typeof each !== 'object' || each === null) return []
    const { learnKey, ratio, samples } = each as Partial<Record<keyof Correction, unknown>>
    if (typeof learnKey !== 'string' || learnKey.length > MAX_KEY_LENGTH) return []
    if (typeof ratio !== 'number' || !(ratio > 0)) return []
    if (typeof samples !== 'number' || !(samples >= 1)) return []
    return [{ learnKey, ratio: clamp(ratio), samples: Math.min(samples, MAX_SAMPLES) }]
  })
}

const NEWEST_WEIGHT = 0.5
const MAX_CORRECTIONS = 512
const MAX_SAMPLES = 1_000_000
const MAX_KEY_LENGTH = 200

/** A measurement that is further off than this is of something else. */
const clamp = (ratio: number): number => Math.min(4, Math.max(0.25, ratio))

/** `0.11.2` is like `0.11.5`; builds of llama.cpp (`b8193`) are alike by the hundred. */
const versionClass = (version: string): string => {
  const release = /(\d+)\.(\d+)/.exec(version)
  if (release) return `${release[1]}.${release[2]}`.slice(0, 24)
  const build = /^b(\d+)\d\d$/.exec(version)
  if (build) return `b${build[1]}xx`.slice(0, 24)
  return version.replaceAll(/\W/g, '').slice(0, 24)
}

/** 53 bits of two FNV-1a hashes, in hex: enough to tell the flags of one host apart. */
const fingerprint = (text: string): string => {
  let low = 0x811c9dc5
  let high = 0x01000193
  for (let index = 0; index < text.length; index++) {
    const code = text.charCodeAt(index)
    low = Math.imul(low ^ code, 0x01000193) >>> 0
    high = Math.imul(high ^ code ^ index, 0x85ebca6b) >>> 0
  }
  return low.toString(16).padStart(8, '0') + high.toString(16).padStart(8, '0')
}
