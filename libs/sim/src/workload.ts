import { randomInt, type Rng } from '@berth/kernel'

/** One client's request. Times are milliseconds. */
export interface SimJob {
  readonly jobId: string
  readonly arrivesAtMs: number
  readonly modelId: string
  readonly isBatch: boolean
  readonly maxWaitMs: number
  /** The answer: so many pieces, the first after `firstMs`, one each `pieceMs`. */
  readonly pieces: number
  readonly firstMs: number
  readonly pieceMs: number
  /** The client leaves this long after its arrival; absent: it stays. */
  readonly leavesAfterMs?: number
  /** Empty: nobody signed in. */
  readonly keyId: string
  /** Empty: none. */
  readonly sessionId: string
  /** The client takes so long over each piece it reads. */
  readonly readMs: number
}

export interface WorkloadOptions {
  readonly rng: Rng
  readonly models: readonly string[]
  readonly untilMs: number
  /** Mean time between arrivals. */
  readonly meanGapMs: number
}

const LEAVER_RATE = 0.15
const SLOW_RATE = 0.1
const BATCH_RATE = 0.2
const SESSION_RATE = 0.3
const SESSIONS = 10
/** A third of the jobs each, the last without a key. */
const KEYS = ['poor', 'rich', ''] as const

/** Jobs in the order of their arrival: all of it drawn from the generator given. */
export const drawWorkload = ({ rng, models, untilMs, meanGapMs }: WorkloadOptions): SimJob[] => {
  const jobs: SimJob[] = []
  for (let at = drawGap(rng, meanGapMs); at < untilMs; at += drawGap(rng, meanGapMs)) {
    jobs.push(drawJob(rng, models, { jobId: `job-${jobs.length}`, arrivesAtMs: Math.round(at) }))
  }
  return jobs
}

const drawJob = (
  rng: Rng,
  models: readonly string[],
  given: Pick<SimJob, 'jobId' | 'arrivesAtMs'>,
): SimJob => {
  const leaves = rng.float() < LEAVER_RATE
  return {
    ...given,
    modelId: models[randomInt(rng, models.length)]!,
    isBatch: rng.float() < BATCH_RATE,
    maxWaitMs: 2_000 + randomInt(rng, 20_000),
    pieces: 1 + randomInt(rng, 12),
    firstMs: 5 + randomInt(rng, 300),
    pieceMs: 5 + randomInt(rng, 400),
    readMs: rng.float() < SLOW_RATE ? randomInt(rng, 800) : 0,
    keyId: KEYS[randomInt(rng, KEYS.length)]!,
    sessionId: rng.float() < SESSION_RATE ? `s-${randomInt(rng, SESSIONS)}` : '',
    ...(leaves ? { leavesAfterMs: randomInt(rng, 4_000) } : {}),
  }
}

/** Exponential: arrivals do not know of each other. */
const drawGap = (rng: Rng, meanMs: number) => -Math.log(1 - rng.float()) * meanMs
