import { mkdir, mkdtemp, rm, symlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { create } from '@bufbuild/protobuf'
import { LoadModelRequestSchema } from '@berth/contract'
import { driverOf } from '@berth/drivers'
import type { Pool } from '../pool/pool.ts'
import { wantedBy } from './wanted-by.ts'

let folder: string
let modelRoot: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'berth-adapters-'))
  modelRoot = join(folder, 'models')
  await mkdir(join(modelRoot, 'sql'), { recursive: true })
  await mkdir(join(folder, 'outside'))
  await symlink(join(folder, 'outside'), join(modelRoot, 'way-out'))
})
afterEach(() => rm(folder, { recursive: true, force: true }))

/** The adapter that a vLLM of this root would be told to load. */
const adapter = (modelRef: string) => {
  const spec = {
    modelRoot,
    modelRef: 'acme/tiny',
    engine: { engine: 'vllm', modelId: 'acme/tiny' },
  }
  const pool = { spec, driver: driverOf('vllm'), keeper: { ownsModel: false } } as unknown as Pool
  return wantedBy(pool, create(LoadModelRequestSchema, { modelRef, modelId: 'sql' }))
}

describe('an adapter', () => {
  it('of this host is named by its path, with or without a scheme', () => {
    const source = join(modelRoot, 'sql')
    for (const ref of [`file:${source}`, 'file:sql', source])
      expect(adapter(ref)).toMatchObject({ modelId: 'sql', modelRef: ref, source })
  })

  it('of the Hub is named by its repository, whatever clients call it', () => {
    for (const ref of ['hf:acme/sql-lora', 'acme/sql-lora'])
      expect(adapter(ref)).toMatchObject({ modelId: 'sql', source: 'acme/sql-lora' })
  })

  it.each([
    ['file:/etc', 'model_root'],
    ['/etc', 'model_root'],
    ['file:../outside', 'model_root'],
    ['file:way-out', 'model_root'],
    ['file:way-out/../../outside', 'model_root'],
    ['../outside', ''],
    ['--help', ''],
    ['hf:acme/sql@main', 'revision'],
    ['hf:acme/sql:weights.bin', ''],
    ['https://example.org/a.safetensors', ''],
    ['ollama:llama3', ''],
  ])('is refused as %s', (ref, why) => {
    expect(() => adapter(ref)).toThrow(
      expect.objectContaining({
        ...{ reason: 'INVALID_PARAMS', message: expect.stringContaining(why) as unknown },
      }),
    )
  })
})
