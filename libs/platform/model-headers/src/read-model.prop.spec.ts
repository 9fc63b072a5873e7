import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals'
import fc from 'fast-check'
import { HeaderFault } from './header-fault.ts'
import type { ModelHeader } from './model-header.ts'
import { readModel } from './read-model.ts'
import { ggufBytes, safetensorsBytes } from './testing/gguf-bytes.ts'

let dir: string
let files = 0
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'berth-fuzz-'))
})
afterAll(async () => {
  await rm(dir, { recursive: true })
})

/** A header, or what is wrong with the file: nothing else may come of it. */
const outcomeOf = async (path: string): Promise<ModelHeader | HeaderFault> => {
  try {
    return await readModel(path)
  } catch (error) {
    if (error instanceof HeaderFault) return error
    throw error
  }
}

/** What anybody may rely on, of a file that anybody wrote. */
const expectSound = (outcome: ModelHeader | HeaderFault, fileBytes: number): void => {
  if (outcome instanceof HeaderFault) return
  const { tensors } = outcome
  expect(tensors.bytes).toBeLessThanOrEqual(fileBytes)
  expect(tensors.blockBytes.length).toBeLessThanOrEqual(1024)
  expect(Object.keys(tensors.outside).length).toBeLessThanOrEqual(512)
  expect(JSON.stringify(outcome).length).toBeLessThan(200_000)
}

const GGUF = ((): Buffer => {
  const head = ggufBytes()
    .head(2, 3)
    .architecture('llama')
    .text('llama.block_count')
    .u32(4)
    .u32(1)
    .text('tokenizer.ggml.tokens')
    .u32(9)
    .u32(8)
    .u64(2)
    .text('a')
    .text('b')
    .tensor('blk.0.attn_q.weight', [32, 4], 2, 0)
    .tensor('output.weight', [8], 0, 96)
    .bytes()
  return Buffer.concat([head, Buffer.alloc(32 - (head.length % 32) + 128)])
})()

const SAFETENSORS = safetensorsBytes(
  { 'model.layers.0.mlp.up.weight': { dtype: 'BF16', shape: [4, 4], data_offsets: [0, 32] } },
  32,
)

/** Bytes put over bytes, in one place or a few, and perhaps the end cut off. */
const mutated = (from: Buffer) =>
  fc
    .tuple(
      fc.array(fc.tuple(fc.nat(from.length - 1), fc.uint8Array({ minLength: 1, maxLength: 8 })), {
        ...{ minLength: 1, maxLength: 4 },
      }),
      fc.option(fc.nat(from.length), { freq: 3 }),
    )
    .map(([changes, end]) => {
      const bytes = Buffer.from(from)
      for (const [at, put] of changes) bytes.set(put.slice(0, bytes.length - at), at)
      return bytes.subarray(0, end ?? bytes.length)
    })

const holds = async (arbitrary: fc.Arbitrary<Uint8Array>, name: string): Promise<void> => {
  await fc.assert(
    fc.asyncProperty(arbitrary, async (bytes) => {
      const path = join(dir, `${files++}-${name}`)
      await writeFile(path, bytes)
      expectSound(await outcomeOf(path), bytes.length)
      await rm(path)
    }),
    { numRuns: 60 },
  )
}

/** The parser of GGUF takes pieces of 2 MB, and a busy machine its time. */
jest.setTimeout(60_000)

describe('a file that anybody wrote', () => {
  it('is a header or a fault: any bytes', async () => {
    await holds(fc.uint8Array({ maxLength: 200 }), 'x.safetensors')
  })

  it('is a header or a fault: any bytes behind the mark of a GGUF', async () => {
    const marked = fc
      .uint8Array({ maxLength: 200 })
      .map((bytes) => Buffer.concat([Buffer.from('GGUF\u0003\0\0\0'), bytes]))
    await holds(marked, 'x.gguf')
  })

  it('is a header or a fault: a GGUF with bytes replaced', async () => {
    await holds(mutated(GGUF), 'x.gguf')
  })

  it('is a header or a fault: a file of safetensors with bytes replaced', async () => {
    await holds(mutated(SAFETENSORS), 'x.safetensors')
  })

  it('is a header or a fault: safetensors with any entry', async () => {
    const entry = fc.record(
      {
        dtype: fc.oneof(fc.constantFrom('BF16', 'F32'), fc.jsonValue()),
        shape: fc.oneof(fc.array(fc.oneof(fc.integer(), fc.double())), fc.jsonValue()),
        data_offsets: fc.oneof(fc.tuple(fc.integer(), fc.integer()), fc.jsonValue()),
      },
      { requiredKeys: [] },
    )
    const header = fc.dictionary(fc.string(), fc.oneof(entry, fc.jsonValue()))
    await holds(
      header.map((each) => safetensorsBytes(each, 64)),
      'x.safetensors',
    )
  })
})
