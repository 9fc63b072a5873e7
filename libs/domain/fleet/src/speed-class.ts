import type { HostSnapshot } from './host-snapshot.ts'
import type { PoolEvidence } from './pool-evidence.ts'
import type { PoolSnapshot } from './pool-snapshot.ts'

/**
 * Pools of one kind: one engine on equal devices. They share what is measured of their speed:
 * each alone sees too few requests to tell its speed from its luck, and would be avoided for it.
 */
export interface SpeedClass {
  readonly key: string
  /** In the view; the class ends with the last. */
  pools: number
  /** Of the models last served, the oldest first; at most `modelsKnown`. */
  readonly models: ModelSpeeds[]
  /** Of its pools' biases: their sums, and their means when the tables were made. */
  readonly read: BiasOfClass
  readonly decode: BiasOfClass
  /** Samples ever folded. */
  samples: number
  /** Samples came in since the tables were made. */
  isStale: boolean
}

/** What the biases of a class's pools have in common is the class's speed, not a bias. */
export interface BiasOfClass {
  logSum: number
  logMean: number
}

/**
 * Moving averages of one model by prompt band and occupancy band: the cell of both is
 * `band * OCCUPANCY_BANDS + occupancyBand`; with one more band, for prompts of unknown length. The
 * tables are made from the cells, and have an answer in places where no cell has. 5 KB.
 */
export interface ModelSpeeds {
  /** Stands for the model. */
  readonly model: number
  /** Milliseconds between two tokens of one stream, and how much was measured. */
  readonly decodeMs: Float32Array
  readonly decodeWeight: Float32Array
  /** Milliseconds of reading for each token of a prompt, and how much was measured. */
  readonly readMs: Float32Array
  readonly readWeight: Float32Array
  readonly decodeTable: Float32Array
  readonly readTable: Float32Array
  /** When the weights were last aged, on the caller's clock. */
  agedAtMs: number
}

/** Prompts up to 2^(8 + band) tokens; the last band has no end. */
export const PROMPT_BANDS = 10
/** Up to 2^band requests in flight; the last band has no end. */
export const OCCUPANCY_BANDS = 9
/**
 * Models a class is known by; the one that served longest ago makes room. One for each pool, so
 * that pools with models of their own do not push each other out, and 10 KB for each at most.
 */
export const modelsKnown = ({ pools }: SpeedClass): number => Math.min(32, Math.max(2, pools))

/** Of a model nothing is known of yet. */
export const createModelSpeeds = (model: number, nowMs: number): ModelSpeeds => {
  const cells = (PROMPT_BANDS + 1) * OCCUPANCY_BANDS
  return {
    model,
    decodeMs: new Float32Array(cells),
    decodeWeight: new Float32Array(cells),
    readMs: new Float32Array(cells),
    readWeight: new Float32Array(cells),
    decodeTable: new Float32Array(cells).fill(NaN),
    readTable: new Float32Array(cells).fill(NaN),
    agedAtMs: nowMs,
  }
}

/** The class of a pool, made when it is the first of it. */
export const joinClass = (
  classes: Map<string, SpeedClass>,
  host: HostSnapshot,
  pool: PoolSnapshot,
): SpeedClass => {
  const key = classKey(host, pool)
  const known = classes.get(key) ?? createClass(key)
  known.pools += 1
  classes.set(key, known)
  return known
}

/** A pool is no longer of its class. */
export const leaveClass = (
  classes: Map<string, SpeedClass>,
  { speeds, readBias, decodeBias }: PoolEvidence,
): void => {
  speeds.pools -= 1
  speeds.read.logSum -= readBias.log
  speeds.decode.logSum -= decodeBias.log
  if (speeds.pools === 0) classes.delete(speeds.key)
}

const createClass = (key: string): SpeedClass => ({
  key,
  pools: 0,
  models: [],
  read: { logSum: 0, logMean: 0 },
  decode: { logSum: 0, logMean: 0 },
  samples: 0,
  isStale: false,
})

/** Bytes of a class's arrays. */
export const speedClassBytes = ({ models }: SpeedClass): number =>
  models.reduce(
    (bytes, { decodeMs, readMs, decodeTable, readTable }) =>
      bytes +
      2 * (decodeMs.byteLength + readMs.byteLength) +
      decodeTable.byteLength +
      readTable.byteLength,
    0,
  )

const GIB = 2 ** 30

const classKey = (host: HostSnapshot, pool: PoolSnapshot): string =>
  [
    pool.engine,
    ...pool.deviceMask.map((id) => {
      const device = host.devices.find(({ deviceId }) => deviceId === id)
      return `${device?.kind ?? 'unknown'} ${gib(device?.memoryTotalBytes)}`
    }),
    pool.computeCapability ?? '',
    gib(pool.vramTotalBytes),
    pool.slotsTotal,
  ].join('|')

/** Equal cards differ by what their drivers keep for themselves. */
const gib = (bytes: number | undefined): number | '' =>
  bytes === undefined ? '' : Math.round(bytes / GIB)
