import { execFileSync } from 'node:child_process'
import { mkdtemp, rm, stat, symlink, truncate, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { createHeaderReader } from './header-reader.ts'
import { ggufBytes, safetensorsBytes } from './testing/gguf-bytes.ts'

const reader = createHeaderReader({ nodePath: process.execPath })
let dir: string

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'berth-headers-'))
})
afterAll(async () => {
  await rm(dir, { recursive: true })
})

const put = async (name: string, bytes: Uint8Array | string): Promise<string> => {
  const path = join(dir, name)
  await writeFile(path, bytes)
  return path
}
const folder = async (): Promise<string> => mkdtemp(join(dir, 'model-'))

/** One key, one block tensor, one outside; the data stands where the header ends. */
const smallGguf = (): Buffer => {
  const head = ggufBytes()
    .head(2, 2)
    .architecture('llama')
    .text('llama.block_count')
    .u32(4)
    .u32(1)
    .tensor('blk.0.attn_q.weight', [32, 4], 2, 0)
    .tensor('output.weight', [8], 0, 96)
    .bytes()
  const padded = Math.ceil(head.length / 32) * 32
  return Buffer.concat([head, Buffer.alloc(padded - head.length + 128)])
}

describe('the header of a GGUF file', () => {
  it('is its keys and the sums of its tensors', async () => {
    const header = await reader.read(await put('small.gguf', smallGguf()))
    // Q4_0 packs 32 numbers into 18 bytes: 128 numbers are 72. Eight F32 are 32.
    expect(header).toMatchObject({
      kind: 'gguf',
      metadata: { 'general.architecture': 'llama', 'llama.block_count': 1 },
      tensors: {
        ...{ count: 2, parameters: 136, bytes: 104, blockBytes: [72] },
        outside: { 'output.weight': 32 },
        kinds: { Q4_0: 72, F32: 32 },
      },
    })
  })

  it('is read whatever the file is called', async () => {
    const path = await put('sha256-0123', smallGguf())
    await expect(reader.read(path)).resolves.toMatchObject({ kind: 'gguf' })
  })

  it('is of all shards', async () => {
    const first = await put('big-00001-of-00002.gguf', smallGguf())
    await put('big-00002-of-00002.gguf', smallGguf())
    await expect(reader.read(first)).resolves.toMatchObject({ tensors: { count: 4, bytes: 208 } })
  })

  it('names the shard that is not there', async () => {
    const first = await put('part-00001-of-00002.gguf', smallGguf())
    await expect(reader.read(first)).rejects.toMatchObject({
      reason: 'MODEL_LOAD_FAILED',
      facts: { path: join(dir, 'part-00002-of-00002.gguf') },
    })
  })

  it('is not read again while the file is the same, and is when it was replaced', async () => {
    const path = await put('stamped.gguf', smallGguf())
    const first = await reader.read(path)
    await expect(reader.read(path)).resolves.toBe(first)
    await utimes(path, 1, 1)
    const second = await reader.read(path)
    expect(second).not.toBe(first)
    expect(second).toEqual(first)
  })
})

describe('the header of a folder of safetensors', () => {
  const weights = (names: Readonly<Record<string, number>>): Buffer => {
    let at = 0
    const entries = Object.entries(names).map(([name, bytes]) => {
      at += bytes
      return [name, { dtype: 'BF16', shape: [bytes / 2], data_offsets: [at - bytes, at] }]
    })
    return safetensorsBytes(Object.fromEntries(entries), at)
  }

  it('is its JSON and the sums over the files that the index names', async () => {
    const at = await folder()
    const config = '{"model_type": "llama", "time_step_limit": [0.0, Infinity], "s": "Infinity"}'
    await writeFile(join(at, 'config.json'), config)
    await writeFile(join(at, 'hf_quant_config.json'), '{"quantization": {"quant_algo": "FP8"}}')
    await writeFile(
      join(at, 'model.safetensors.index.json'),
      JSON.stringify({
        weight_map: { a: 'a 1.safetensors', b: 'b.safetensors', c: 'b.safetensors' },
      }),
    )
    await writeFile(join(at, 'a 1.safetensors'), weights({ 'model.layers.0.self_attn.q': 64 }))
    await writeFile(
      join(at, 'b.safetensors'),
      weights({ 'model.layers.1.mlp.experts.3.up': 32, 'lm_head.weight': 16 }),
    )
    // Left beside by those who publish in two formats: the index does not name it.
    await writeFile(join(at, 'consolidated.safetensors'), weights({ x: 4096 }))
    expect(await reader.read(at)).toEqual({
      kind: 'safetensors',
      config: { model_type: 'llama', time_step_limit: [0, null], s: 'Infinity' },
      quantConfig: { quantization: { quant_algo: 'FP8' } },
      tensors: {
        ...{ count: 3, bytes: 112, parameters: 56, blockBytes: [64, 32], expertBytes: [0, 32] },
        outside: { 'lm_head.weight': 16 },
        kinds: { BF16: 112 },
      },
    })
  })

  it('is of the one file of a small model', async () => {
    const at = await folder()
    await writeFile(join(at, 'config.json'), '{}')
    await writeFile(join(at, 'model.safetensors'), weights({ 'transformer.h.0.mlp': 8 }))
    await expect(reader.read(at)).resolves.toMatchObject({ tensors: { bytes: 8, blockBytes: [8] } })
  })

  it('is read through the links of a cache', async () => {
    const at = await folder()
    const blob = await put('blob', weights({ y: 6 }))
    await writeFile(join(at, 'config.json'), '{}')
    await symlink(blob, join(at, 'model.safetensors'))
    await expect(reader.read(at)).resolves.toMatchObject({ tensors: { bytes: 6 } })
  })

  it.each(['../../../etc/passwd', '/etc/passwd', '%2e%2e/x.safetensors', 'a/../../x'])(
    'is refused when its index names %s',
    async (name) => {
      const at = await folder()
      await writeFile(join(at, 'config.json'), '{}')
      const index = JSON.stringify({ weight_map: { a: name } })
      await writeFile(join(at, 'model.safetensors.index.json'), index)
      await expect(reader.read(at)).rejects.toMatchObject({
        reason: 'MODEL_LOAD_FAILED',
        message: expect.stringContaining('outside its folder'),
      })
    },
  )

  it('is refused when a header says it has 2 GB, without reading them', async () => {
    const at = await folder()
    await writeFile(join(at, 'config.json'), '{}')
    const length = Buffer.alloc(8)
    length.writeBigUInt64LE(2_000_000_000n)
    const path = join(at, 'model.safetensors')
    await writeFile(path, length)
    await truncate(path, 2_100_000_000)
    await expect(reader.read(at)).rejects.toMatchObject({
      reason: 'MODEL_LOAD_FAILED',
      facts: { path, fact: expect.stringContaining('too big') },
    })
  })

  it.each([
    ['numbers without end', { dtype: 'F32', shape: [2 ** 31, 2 ** 31], data_offsets: [0, 8] }],
    ['no type', { shape: [2], data_offsets: [0, 8] }],
  ])('is refused when a tensor has %s', async (_, tensor) => {
    const at = await folder()
    await writeFile(join(at, 'config.json'), '{}')
    await writeFile(join(at, 'model.safetensors'), safetensorsBytes({ a: tensor }, 8))
    await expect(reader.read(at)).rejects.toMatchObject({
      ...{ reason: 'MODEL_LOAD_FAILED', message: expect.stringContaining('tensor "a"') },
    })
  })

  it('is refused when its tensors share their bytes, and so are more than the file', async () => {
    const at = await folder()
    await writeFile(join(at, 'config.json'), '{}')
    const same = { dtype: 'U8', shape: [400], data_offsets: [0, 400] }
    const header = { a: same, b: same, c: same }
    await writeFile(join(at, 'model.safetensors'), safetensorsBytes(header, 400))
    await expect(reader.read(at)).rejects.toMatchObject({
      message: expect.stringContaining('come to 1200 bytes'),
    })
  })

  it('is refused when a tensor ends behind the end of its file', async () => {
    const at = await folder()
    await writeFile(join(at, 'config.json'), '{}')
    const header = { a: { dtype: 'F32', shape: [1000], data_offsets: [0, 4000] } }
    await writeFile(join(at, 'model.safetensors'), safetensorsBytes(header, 8))
    await expect(reader.read(at)).rejects.toMatchObject({
      message: expect.stringContaining('exceeds the file size'),
    })
  })
})

describe('a hostile file', () => {
  const MAX = 2n ** 64n - 1n
  const PADDING = Buffer.alloc(32)
  const key = (kind: number) => ggufBytes().head(0, 1).text('k').u32(kind)
  const files: [string, () => Buffer, string][] = [
    ['counts tensors without end', () => ggufBytes().head(MAX, 0).bytes(), 'Tensor count'],
    ['counts keys without end', () => ggufBytes().head(0, MAX).bytes(), 'KV metadata count'],
    ['has a text without end', () => key(8).u64(MAX).bytes(), 'String length'],
    ['has an array without end', () => key(9).u32(4).u64(MAX).bytes(), 'array length'],
    ['is cut off in its keys', () => smallGguf().subarray(0, 40), 'does not end within'],
    ['is cut off in its tensors', () => smallGguf().subarray(0, -64), 'cut off or damaged'],
    ['is empty', () => Buffer.alloc(0), 'neither GGUF nor safetensors'],
    ['is something else', () => Buffer.from('hello'), 'neither GGUF nor safetensors'],
    [
      'has a tensor without end',
      () =>
        ggufBytes()
          .head(1, 0)
          .tensor('a', [2 ** 31, 2 ** 31], 0, 0)
          .raw(PADDING)
          .bytes(),
      'cut off or damaged',
    ],
  ]
  it.each(files)('that %s is refused with what is wrong', async (name, bytes, fact) => {
    const path = await put(`${name.replaceAll(' ', '-')}.gguf`, bytes())
    await expect(reader.read(path)).rejects.toMatchObject({
      ...{ name: 'BerthError', reason: 'MODEL_LOAD_FAILED' },
      message: expect.stringContaining(fact),
      facts: { path },
    })
  })

  it('that is a pipe keeps nobody waiting', async () => {
    const path = join(dir, 'pipe.gguf')
    execFileSync('mkfifo', [path])
    await expect(reader.read(path)).rejects.toMatchObject({ facts: { fact: 'it is not a file' } })
    const at = await folder()
    execFileSync('mkfifo', [join(at, 'config.json')])
    await expect(reader.read(at)).rejects.toMatchObject({ facts: { fact: 'it is not a file' } })
    await expect(reader.read('/dev/zero')).rejects.toMatchObject({ reason: 'MODEL_LOAD_FAILED' })
  })

  it('that needs more memory than it may have ends with its process', async () => {
    const narrow = createHeaderReader({ nodePath: process.execPath, heapMebibytes: 48 })
    // Arrays of arrays: 12 bytes in the file are an object each.
    const inner = ggufBytes()
    for (let at = 0; at < 1_000_000; at++) inner.u32(4).u64(0)
    const bytes = Buffer.concat([key(9).u32(9).u64(1_000_000).bytes(), inner.bytes()])
    const path = await put('nested.gguf', bytes)
    await expect(narrow.read(path)).rejects.toMatchObject({
      reason: 'MODEL_LOAD_FAILED',
      message: expect.stringContaining('more than 48 MiB'),
    })
  }, 60_000)

  it('that needs more time than it may have ends with its process', async () => {
    const hasty = createHeaderReader({ nodePath: process.execPath, timeoutMs: 1 })
    const path = await put('slow.gguf', smallGguf())
    await expect(hasty.read(path)).rejects.toMatchObject({
      reason: 'MODEL_LOAD_FAILED',
      message: expect.stringContaining('more than 0.001 s'),
    })
  })

  it('does not spoil the next one', async () => {
    const bad = reader.read(await put('bad.gguf', 'GGUF')).catch(() => 'refused')
    const good = reader.read(await put('good.gguf', smallGguf()))
    await expect(Promise.all([bad, good])).resolves.toMatchObject(['refused', { kind: 'gguf' }])
  })
})

describe('reading', () => {
  it('says so when there is no model', async () => {
    await expect(reader.read(join(dir, 'nothing'))).rejects.toMatchObject({
      reason: 'MODEL_NOT_FOUND',
    })
  })

  it('ends with its signal', async () => {
    const path = await put('aborted.gguf', smallGguf())
    const reason = new Error('the agent stops')
    const abort = new AbortController()
    const read = reader.read(path, { signal: abort.signal })
    abort.abort(reason)
    await expect(read).rejects.toBe(reason)
  })

  it('is still read for who waits for it when another who asked first has left', async () => {
    const path = await put('shared.gguf', '')
    const go = join(dir, 'go')
    const programPath = await put(
      'waits.mjs',
      `import { existsSync } from 'node:fs'
      while (!existsSync(${JSON.stringify(go)})) await new Promise((tick) => setTimeout(tick, 5))
      process.stdout.write('{"header":{"kind":"gguf"}}')`,
    )
    const waiting = createHeaderReader({ nodePath: process.execPath, programPath })
    const abort = new AbortController()
    const left = waiting.read(path, { signal: abort.signal }).catch(() => 'left')
    const stays = waiting.read(path)
    // Both have looked at the file by then, and are on their way.
    for (let look = 0; look < 5; look++) await stat(path)
    abort.abort(new Error('a pool was stopped'))
    await put('go', '')
    expect(await Promise.all([left, stays])).toEqual(['left', { kind: 'gguf' }])
  })
})
