import type { ModelId } from '@berth/kernel'
import type { PoolView } from './fleet-view.ts'
import type { ModelDimensions } from './pool-snapshot.ts'

/** What the size of a job's KV cache depends on, besides the model. */
export interface KvDemand {
  readonly modelId: ModelId
  /** Known to the caller; then nothing is estimated. */
  readonly estKvBytes?: number
  /** Tokens of context the job needs; 0 when not known. */
  readonly requiredCtx: number
  /** 0 when not known. */
  readonly promptTokens: number
  readonly expectedTokens: number
  /** The most the job may produce; 0 or absent when it has no bound. */
  readonly maxTokens?: number
}

/**
 * Bytes of a model per cached token. Layers with a window keep the last `windowTokens` only. What
 * `kvBytes` computes from the dimensions of a model, taken apart so that it is two products.
 */
export interface KvSlope {
  /** Of all layers that look back over everything. */
  readonly tokenBytes: number
  /** Of all layers that look back `windowTokens` only. */
  readonly windowTokenBytes: number
  readonly windowTokens: number
}

/**
 * Bytes of KV cache that `tokens` tokens take: layers x kv heads x (key + value dim) x bytes of a
 * number x tokens. Grouped queries count by `kvHeads`, latent attention by `latentDim` alone, and
 * layers with a window stop growing at `windowTokens`. Whole bytes, rounded up: a quantised cache
 * has fractions. Engines add the padding of their blocks, at most one block for each layer.
 */
export const kvBytes = (dimensions: ModelDimensions, tokens: number): number =>
  slopeBytes(kvSlope(dimensions), tokens)

/** A model's bytes per cached token; zeros for dimensions that are not known. */
export const kvSlope = (dimensions: ModelDimensions | undefined): KvSlope => {
  if (!dimensions) return NO_SLOPE
  const { layers, kvHeads, keyDim, valueDim, latentDim, kvDtypeBytes } = dimensions
  const numbers = latentDim > 0 ? latentDim : kvHeads * (keyDim + valueDim)
  const windowLayers = dimensions.windowTokens > 0 ? Math.min(dimensions.windowLayers, layers) : 0
  return {
    tokenBytes: (layers - windowLayers) * numbers * kvDtypeBytes,
    windowTokenBytes: windowLayers * numbers * kvDtypeBytes,
    windowTokens: dimensions.windowTokens,
  }
}

/**
 * Bytes a job's KV cache takes in a pool: what the caller says, else by the dimensions of the
 * model as the pool has it, else 0. Allocates nothing.
 */
export const estKvBytesOf = (pool: PoolView, job: KvDemand): number =>
  job.estKvBytes ?? slopeBytes(slopeIn(pool, job.modelId), kvTokensOf(pool, job))

/**
 * Tokens a job has cached at its end: the context it asks for, else its prompt and its output, and
 * no more than a slot of the pool has, whatever a client says it may produce.
 */
export const kvTokensOf = ({ contextLength }: PoolView, job: KvDemand): number => {
  const tokens = job.requiredCtx || job.promptTokens + (job.maxTokens || job.expectedTokens)
  return contextLength > 0 && tokens > contextLength ? contextLength : tokens
}

const NO_SLOPE: KvSlope = { tokenBytes: 0, windowTokenBytes: 0, windowTokens: 0 }

const slopeIn = (pool: PoolView, modelId: ModelId): KvSlope =>
  pool.onlyKvSlope ?? pool.kvSlopes.get(modelId) ?? NO_SLOPE

const slopeBytes = (slope: KvSlope, tokens: number): number =>
  Math.ceil(
    slope.tokenBytes * tokens + slope.windowTokenBytes * Math.min(tokens, slope.windowTokens),
  )
