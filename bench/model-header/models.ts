import { mkdir, open, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { sparseGguf, writeGgufImage } from '@berth/model-files'

/** A model whose weights are holes: its headers are as large as those of the real one. */
export interface BenchModel {
  readonly name: string
  readonly path: string
}

/** Writes models into `dir`; the files of a real one would take 1.3 TB. */
export const writeModels = async (dir: string): Promise<readonly BenchModel[]> => [
  await writeGguf(dir, { name: 'GGUF, 1 k tokens, 2 blocks', blocks: 2, tokens: 0 }),
  await writeGguf(dir, { name: 'GGUF, 150 k tokens, 32 blocks', blocks: 32, tokens: 150_000 }),
  await writeGguf(dir, { name: 'GGUF, 262 k tokens, 80 blocks', blocks: 80, tokens: 262_144 }),
  await writeSafetensors(dir, {
    ...{ name: 'safetensors, 70 B dense: 723 tensors in 30 files' },
    ...{ blocks: 80, experts: 0, files: 30 },
  }),
  await writeSafetensors(dir, {
    ...{ name: 'safetensors, 671 B with experts: 90 k tensors in 163 files' },
    ...{ blocks: 58, experts: 256, files: 163 },
  }),
  await writeHostile(dir),
]

/** Arrays of empty arrays, a million at a time, up to what the parser reads: 12 bytes an object. */
const writeHostile = async (dir: string): Promise<BenchModel> => {
  const path = join(dir, 'hostile.gguf')
  const arrays = 4
  const length = 1_000_000
  const u32 = (value: number) => Buffer.from(Uint32Array.of(value).buffer)
  const u64 = (value: number) => Buffer.from(BigUint64Array.of(BigInt(value)).buffer)
  const empty = Buffer.concat([u32(4), u64(0)])
  const array = Buffer.concat([u32(9), u32(9), u64(length), Buffer.alloc(length * 12, empty)])
  const keys = Array.from({ length: arrays }, (_, at) => [u64(1), Buffer.from(String(at)), array])
  const head = [Buffer.from('GGUF'), u32(3), u64(0), u64(arrays)]
  await writeFile(path, Buffer.concat([...head, ...keys.flat()]))
  return { name: 'GGUF, hostile: 4 M arrays in 48 MB', path }
}

const writeGguf = async (
  dir: string,
  {
    name,
    blocks,
    tokens,
  }: { readonly name: string; readonly blocks: number; readonly tokens: number },
): Promise<BenchModel> => {
  const path = join(dir, `${blocks}-${tokens}.gguf`)
  const heads = { heads: 64, kvHeads: 8, keyLength: 128, feedForward: 28_672 }
  const shape = {
    architecture: 'llama',
    blocks,
    dim: 8192,
    vocabularySize: tokens,
    ...heads,
  } as const
  await writeGgufImage(path, sparseGguf(shape))
  return { name, path }
}

interface SafetensorsShape {
  readonly name: string
  readonly blocks: number
  readonly experts: number
  readonly files: number
}

const writeSafetensors = async (dir: string, shape: SafetensorsShape): Promise<BenchModel> => {
  const path = join(dir, `safetensors-${shape.experts}`)
  await mkdir(path)
  await writeFile(join(path, 'config.json'), JSON.stringify({ model_type: 'llama' }))
  const names = tensorsOf(shape)
  const each = Math.ceil(names.length / shape.files)
  const map: Record<string, string> = {}
  for (let file = 0; file < shape.files; file++) {
    const name = `model-${String(file + 1).padStart(5, '0')}-of-${String(shape.files).padStart(5, '0')}.safetensors`
    const own = names.slice(file * each, (file + 1) * each)
    for (const tensor of own) map[tensor] = name
    await writeHoles(join(path, name), own)
  }
  await writeFile(join(path, 'model.safetensors.index.json'), JSON.stringify({ weight_map: map }))
  return { name: shape.name, path }
}

const tensorsOf = ({ blocks, experts }: SafetensorsShape): string[] => {
  const attention = ['q_proj', 'k_proj', 'v_proj', 'o_proj'].map(
    (name) => `self_attn.${name}.weight`,
  )
  const norms = ['input_layernorm.weight', 'post_attention_layernorm.weight']
  const projections = ['gate_proj', 'up_proj', 'down_proj']
  const forward =
    experts === 0
      ? projections.map((name) => `mlp.${name}.weight`)
      : Array.from({ length: experts }, (_, at) =>
          projections.flatMap((name) => [
            `mlp.experts.${at}.${name}.weight`,
            `mlp.experts.${at}.${name}.weight_scale_inv`,
          ]),
        ).flat()
  const ofBlock = [...attention, ...norms, ...forward]
  return [
    'model.embed_tokens.weight',
    ...Array.from({ length: blocks }, (_, at) =>
      ofBlock.map((name) => `model.layers.${at}.${name}`),
    ).flat(),
    ...['model.norm.weight', 'lm_head.weight'],
  ]
}

const TENSOR = { dtype: 'BF16', shape: [8192, 1024] }
const TENSOR_BYTES = 8192 * 1024 * 2

const writeHoles = async (path: string, names: readonly string[]): Promise<void> => {
  const entries = names.map((name, at) => [
    name,
    { ...TENSOR, data_offsets: [at * TENSOR_BYTES, (at + 1) * TENSOR_BYTES] },
  ])
  const header = Buffer.from(JSON.stringify(Object.fromEntries(entries)))
  const length = Buffer.alloc(8)
  length.writeBigUInt64LE(BigInt(header.length))
  await using file = await open(path, 'w')
  await file.write(Buffer.concat([length, header]))
  await file.truncate(8 + header.length + names.length * TENSOR_BYTES)
}
