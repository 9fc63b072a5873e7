import { mkdir, open, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

/** A tensor as a model's files name it, and its size; of two bytes a number where nothing is said. */
export type ShapedTensor = readonly [
  name: string,
  shape: readonly number[],
  dtype?: 'BF16' | 'U8' | 'F32',
]

const BYTES = { BF16: 2, U8: 1, F32: 4 }

/**
 * Writes a model of these tensors as one file of safetensors with its config: a header as the real
 * one has it, and holes for the weights. Resolves with its folder.
 */
export const writeShapedWeights = async (
  dir: string,
  config: Readonly<Record<string, unknown>>,
  tensors: readonly ShapedTensor[],
): Promise<string> => {
  await mkdir(dir)
  await writeFile(join(dir, 'config.json'), JSON.stringify(config))
  let end = 0
  const entries = tensors.map(([name, shape, dtype = 'BF16']) => {
    const begin = end
    end += shape.reduce((product, size) => product * size, BYTES[dtype])
    return [name, { dtype, shape, data_offsets: [begin, end] }]
  })
  const header = Buffer.from(JSON.stringify(Object.fromEntries(entries)))
  const length = Buffer.alloc(8)
  length.writeBigUInt64LE(BigInt(header.length))
  await using file = await open(join(dir, 'model.safetensors'), 'w')
  await file.write(Buffer.concat([length, header]))
  await file.truncate(8 + header.length + end)
  return dir
}

/** A transformer whose blocks are all alike. */
export interface AlikeShape {
  readonly blocks: number
  readonly vocabulary: number
  readonly hidden: number
  readonly queries: number
  readonly keys: number
  readonly feedForward: number
  /** Norms as wide as the stream, of each block. Absent: 2. */
  readonly norms?: number
  /** Norms of queries and of keys, as wide as a head. */
  readonly headNorm?: number
  readonly experts?: number
  /** The head is the embedding. */
  readonly isTied?: boolean
}

/** Its tensors, as transformers names them. */
export const alikeTensors = (shape: AlikeShape): ShapedTensor[] => {
  const { blocks, vocabulary, hidden, isTied = false } = shape
  return [
    ['model.embed_tokens.weight', [vocabulary, hidden]],
    ...Array.from({ length: blocks }, (_, at) =>
      blockTensors(shape).map(([name, size]): ShapedTensor => [`model.layers.${at}.${name}`, size]),
    ).flat(),
    ['model.norm.weight', [hidden]],
    ...(isTied ? [] : [['lm_head.weight', [vocabulary, hidden]] as const]),
  ]
}

const blockTensors = (shape: AlikeShape): ShapedTensor[] => {
  const { hidden, queries, keys, feedForward, norms = 2, headNorm, experts = 0 } = shape
  const feed = (prefix: string): ShapedTensor[] => [
    [`${prefix}gate_proj.weight`, [feedForward, hidden]],
    [`${prefix}up_proj.weight`, [feedForward, hidden]],
    [`${prefix}down_proj.weight`, [hidden, feedForward]],
  ]
  return [
    ['self_attn.q_proj.weight', [queries, hidden]],
    ['self_attn.k_proj.weight', [keys, hidden]],
    ['self_attn.v_proj.weight', [keys, hidden]],
    ['self_attn.o_proj.weight', [hidden, queries]],
    ...Array.from({ length: norms }, (_, at): ShapedTensor => [`norm.${at}.weight`, [hidden]]),
    ...(headNorm === undefined
      ? []
      : (['q_norm', 'k_norm'].map((name) => [
          `self_attn.${name}.weight`,
          [headNorm],
        ]) as ShapedTensor[])),
    ...(experts === 0
      ? feed('mlp.')
      : [
          ['mlp.gate.weight', [experts, hidden]] as const,
          ...Array.from({ length: experts }, (_, at) => feed(`mlp.experts.${at}.`)).flat(),
        ]),
  ]
}

/** So many blocks of tensors, each named by its block. */
export const inBlocks = (
  from: number,
  to: number,
  tensors: readonly ShapedTensor[],
): ShapedTensor[] =>
  Array.from({ length: to - from }, (_, at) =>
    tensors.map(([name, ...rest]): ShapedTensor => [`model.layers.${from + at}.${name}`, ...rest]),
  ).flat()
