import { seededRng, type Rng } from '@berth/kernel'
import { ggufImage, type GgufImage, type GgufTensor, type GgufValue } from './gguf-image.ts'
import { tokenizerMetadata } from './tokenizer-metadata.ts'
import { tinyVocabulary, type TinyToken } from './tiny-vocabulary.ts'

/** The shape of the model. Every field has a default; the same options give the same bytes. */
export interface TinyGgufOptions {
  readonly layers?: number
  /** Width of the residual stream; a multiple of `heads`. */
  readonly dim?: number
  readonly heads?: number
  /** Key and value heads; divides `heads`. */
  readonly kvHeads?: number
  readonly feedForward?: number
  /** The context the file says it was trained for, in tokens. */
  readonly contextTokens?: number
  readonly seed?: number
  /** Added to the logit of the end token: more is shorter answers. */
  readonly eosBias?: number
  /** Leaves the matrices of the layers out as holes: a file of any size at once. */
  readonly isSparse?: boolean
}

/**
 * A llama with random weights and a ChatML template. It speaks in English words that make no
 * sense, ends its answers by itself, and never says a byte, a letter or a control token.
 *
 * The first channel of the residual stream is the same for every token and no layer writes to it,
 * so the first column of the output matrix is a bias per token: that is how what may never be said
 * is ruled out and how likely the end is.
 */
export const tinyGguf = (options: TinyGgufOptions = {}): GgufImage => {
  const model = { ...DEFAULTS, ...options }
  const tokens = tinyVocabulary()
  return ggufImage(metadataOf(model, tokens), tensorsOf(model, tokens))
}

const DEFAULTS = {
  layers: 2,
  dim: 64,
  heads: 4,
  kvHeads: 2,
  feedForward: 128,
  contextTokens: 32_768,
  seed: 1,
  eosBias: 2.7,
  isSparse: false,
} satisfies Required<TinyGgufOptions>

type Model = Required<TinyGgufOptions>

/** How much the logits of words differ, as a standard deviation. */
const LOGIT_SPREAD = 1.2
/** The variance of a channel of the residual stream after the layers, measured. */
const CHANNEL_VARIANCE = 1.5

const BIAS = { word: 0, punctuation: 1.5, never: -80 }

const tensorsOf = (model: Model, tokens: readonly TinyToken[]): GgufTensor[] => {
  const rng = seededRng(model.seed)
  const { dim, feedForward } = model
  const keyWidth = (dim / model.heads) * model.kvHeads
  const matrix = (name: string, input: number, output: number): GgufTensor => {
    const tensor = { name, shape: [input, output], kind: 'f16' } as const
    if (model.isSparse) return tensor
    // Nothing may be added to the constant channel.
    const firstRow = output === dim && WRITERS.test(name) ? 1 : 0
    return { ...tensor, data: randomRows(rng, { input, output, firstRow }) }
  }
  const layer = (index: number): GgufTensor[] => [
    ones(`blk.${index}.attn_norm.weight`, dim),
    matrix(`blk.${index}.attn_q.weight`, dim, dim),
    matrix(`blk.${index}.attn_k.weight`, dim, keyWidth),
    matrix(`blk.${index}.attn_v.weight`, dim, keyWidth),
    matrix(`blk.${index}.attn_output.weight`, dim, dim),
    ones(`blk.${index}.ffn_norm.weight`, dim),
    matrix(`blk.${index}.ffn_gate.weight`, dim, feedForward),
    matrix(`blk.${index}.ffn_up.weight`, dim, feedForward),
    matrix(`blk.${index}.ffn_down.weight`, feedForward, dim),
  ]
  return [
    embeddings(rng, dim, tokens),
    ...Array.from({ length: model.layers }, (_, index) => layer(index)).flat(),
    ones('output_norm.weight', dim),
    outputs(rng, model, tokens),
  ]
}

const WRITERS = /(attn_output|ffn_down)\.weight$/

const embeddings = (rng: Rng, dim: number, tokens: readonly TinyToken[]): GgufTensor => {
  const values = tokens.flatMap(() =>
    Array.from({ length: dim }, (_, channel) => (channel === 0 ? Math.sqrt(dim) : gaussian(rng))),
  )
  const shape = [dim, tokens.length]
  return { name: 'token_embd.weight', shape, kind: 'f16', data: halves(values) }
}

const outputs = (rng: Rng, model: Model, tokens: readonly TinyToken[]): GgufTensor => {
  const { dim } = model
  const norm = Math.sqrt(CHANNEL_VARIANCE + 1)
  const spread = (LOGIT_SPREAD * norm) / Math.sqrt(dim * CHANNEL_VARIANCE)
  const values = tokens.flatMap(({ said }) => {
    const bias = said === 'end' ? model.eosBias : BIAS[said]
    return Array.from({ length: dim }, (_, channel) =>
      channel === 0 ? (bias * norm) / Math.sqrt(dim) : spread * gaussian(rng),
    )
  })
  return { name: 'output.weight', shape: [dim, tokens.length], kind: 'f16', data: halves(values) }
}

const ones = (name: string, size: number): GgufTensor => {
  const data = new Uint8Array(new Float32Array(size).fill(1).buffer)
  return { name, shape: [size], kind: 'f32', data }
}

interface RowsShape {
  readonly input: number
  readonly output: number
  /** Rows before this one are zeros. */
  readonly firstRow: number
}

const randomRows = (rng: Rng, { input, output, firstRow }: RowsShape): Uint8Array => {
  const spread = 1 / Math.sqrt(input)
  const values = Array.from({ length: input * output }, (_, index) =>
    index < firstRow * input ? 0 : spread * gaussian(rng),
  )
  return halves(values)
}

/** Close enough to normal: a sum of uniform values with variance 1 (Irwin-Hall). */
const gaussian = (rng: Rng): number =>
  (rng.float() + rng.float() + rng.float() + rng.float() - 2) * Math.sqrt(3)

/** IEEE 754 half precision, little endian, rounded to nearest; the values here are small. */
const halves = (values: readonly number[]): Uint8Array => {
  const out = new DataView(new ArrayBuffer(values.length * 2))
  values.forEach((value, index) => out.setUint16(index * 2, toHalf(value), true))
  return new Uint8Array(out.buffer)
}

const toHalf = (value: number): number => {
  const sign = value < 0 ? 0x8000 : 0
  const size = Math.abs(value)
  const smallestNormal = 2 ** -14
  if (size < smallestNormal) return sign | Math.round(size / 2 ** -24)
  const exponent = Math.floor(Math.log2(size))
  const mantissa = Math.round((size / 2 ** exponent - 1) * 1024)
  // A mantissa of 1024 carries into the exponent, which is what the sum does.
  return sign | (((exponent + 15) << 10) + mantissa)
}

const metadataOf = (model: Model, tokens: readonly TinyToken[]): Record<string, GgufValue> => {
  return {
    'general.architecture': { kind: 'string', value: 'llama' },
    'general.type': { kind: 'string', value: 'model' },
    'general.name': { kind: 'string', value: 'Berth tiny' },
    'general.license': { kind: 'string', value: 'apache-2.0' },
    'general.file_type': u32(1),
    'general.quantization_version': u32(2),
    'llama.vocab_size': u32(tokens.length),
    'llama.context_length': u32(model.contextTokens),
    'llama.embedding_length': u32(model.dim),
    'llama.block_count': u32(model.layers),
    'llama.feed_forward_length': u32(model.feedForward),
    'llama.attention.head_count': u32(model.heads),
    'llama.attention.head_count_kv': u32(model.kvHeads),
    'llama.attention.layer_norm_rms_epsilon': { kind: 'f32', value: 1e-5 },
    'llama.rope.dimension_count': u32(model.dim / model.heads),
    'llama.rope.freq_base': { kind: 'f32', value: 10_000 },
    ...tokenizerMetadata(tokens),
  }
}

const u32 = (value: number): GgufValue => ({ kind: 'u32', value })
