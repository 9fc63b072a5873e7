/** A value of a header, as far as it is kept: long texts and arrays are not. */
export type HeaderValue = string | number | boolean | readonly number[] | readonly boolean[]

/** Tensors added up. Blocks are the repeating ones of the language model. */
export interface TensorSums {
  readonly count: number
  readonly bytes: number
  /** Numbers in them. */
  readonly parameters: number
  /** Of each block, in their order. */
  readonly blockBytes: readonly number[]
  /** Of them the experts'. */
  readonly expertBytes: readonly number[]
  /** Bytes of tensors outside the blocks, by name, the first 512 of them. */
  readonly outside: Readonly<Record<string, number>>
  /** Bytes by type, such as `Q4_K` or `BF16`. */
  readonly kinds: Readonly<Record<string, number>>
}

/** The header of a GGUF model, over all its shards. */
export interface GgufHeader {
  readonly kind: 'gguf'
  readonly metadata: Readonly<Record<string, HeaderValue>>
  /** Lengths of the arrays that are not kept, such as the tokens. */
  readonly arrayLengths: Readonly<Record<string, number>>
  readonly tensors: TensorSums
}

/** A folder of safetensors: its JSON files, and what the headers of its weights add up to. */
export interface SafetensorsHeader {
  readonly kind: 'safetensors'
  readonly config: Readonly<Record<string, unknown>>
  /** `hf_quant_config.json`, where a model has one. */
  readonly quantConfig?: Readonly<Record<string, unknown>>
  readonly tensors: TensorSums
}

/** What the files of a model say, as raw data of bounded size. */
export type ModelHeader = GgufHeader | SafetensorsHeader
