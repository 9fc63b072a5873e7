import { create, type MessageInitShape } from '@bufbuild/protobuf'
import { describe, expect, it } from '@jest/globals'
import { createMemoryBus, createMemoryServer } from '@berth/bus/testing'
import {
  CatalogState,
  CommandHostRequestSchema,
  CommandPoolRequestSchema,
  PutCatalogModelRequestSchema,
} from '@berth/contract'
import { createSimClock } from '@berth/kernel/testing'
import type { CallContext } from '@berth/rpc'
import { createSilentLogger } from '@berth/runtime'
import { createCatalogGate } from './catalog-gate.ts'
import { verifyCatalogModel } from './catalog-verify.ts'
import { createCatalog } from './catalog.ts'
import type { HostModels } from './host-models.ts'

const A = `sha256:${'a'.repeat(64)}`
const B = `sha256:${'b'.repeat(64)}`
const COMMIT = 'c'.repeat(40)
const log = createSilentLogger()
const clock = createSimClock()

const draft = (more: MessageInitShape<typeof PutCatalogModelRequestSchema> = {}) =>
  create(PutCatalogModelRequestSchema, { modelId: 'o/m', modelRef: 'hf:o/m:x.gguf', ...more })

/** A core that was started on what earlier ones stored on `server`. */
const start = (server = createMemoryServer({ clock }), allowedSources: readonly string[] = []) => {
  const bus = createMemoryBus({ clock, server })
  const catalog = createCatalog({ bus, clock, log, allowedSources })
  return { bus, catalog, gate: createCatalogGate(catalog) }
}

describe('the catalog', () => {
  it('outlives the core that stored it', async () => {
    const server = createMemoryServer({ clock })
    await start(server).catalog.put(draft({ digest: A, memoryBytes: 5n }))
    await start(server).catalog.put(draft({ modelId: 'a', modelRef: 'ollama:a' }))
    const { catalog } = start(server)
    expect(await catalog.list()).toMatchObject([
      { modelId: 'a', modelRef: 'ollama:a', digest: '', state: CatalogState.ACTIVE },
      { modelId: 'o/m', modelRef: 'hf:o/m:x.gguf', digest: A, memoryBytes: 5n },
    ])
    await catalog.remove('a')
    await expect(catalog.get('a')).rejects.toMatchObject({ reason: 'MODEL_NOT_FOUND' })
    await expect(catalog.remove('a')).rejects.toMatchObject({ reason: 'MODEL_NOT_FOUND' })
    expect(await catalog.list()).toHaveLength(1)
  })

  it('keeps state and proof of an entry that is put again, but no proof of other files', async () => {
    const { catalog } = start()
    await catalog.put(draft({ digest: A }))
    await catalog.setState('o/m', CatalogState.RETIRED)
    await catalog.setVerified('o/m', 'h1')
    const same = await catalog.put(draft({ digest: A, memoryBytes: 7n }))
    expect(same).toMatchObject({ state: CatalogState.RETIRED, verifiedHostId: 'h1' })
    const other = await catalog.put(draft({ digest: B }))
    expect(other).toMatchObject({ state: CatalogState.RETIRED, verifiedHostId: '' })
    expect(other.verifiedAtMs).toBeUndefined()
  })

  it.each([
    ['no id', { modelId: '' }, 'model_id'],
    ['no reference', { modelRef: '' }, 'model_ref'],
    ['a flag', { modelRef: '--help' }, 'model_ref'],
    ['a mark nobody sees', { modelRef: 'hf:o/m\u202e' }, 'model_ref'],
    ['a reference without end', { modelRef: 'x'.repeat(1_025) }, 'model_ref'],
    ['half a digest', { digest: 'sha256:12' }, 'digest'],
    ['no memory', { memoryBytes: 0n }, 'memory_bytes'],
    ['more memory than there is', { memoryBytes: 2n ** 51n }, 'memory_bytes'],
  ])('refuses %s, naming the field', async (_, more, param) => {
    const { catalog } = start()
    await expect(catalog.put(draft(more))).rejects.toMatchObject({
      ...{ reason: 'INVALID_PARAMS', facts: { param } },
    })
    expect(await catalog.list()).toEqual([])
  })

  it('takes only sources that are allowed, where some are', async () => {
    const { catalog } = start(undefined, ['hf:o/', 'https://models.example.org/'])
    await catalog.put(draft())
    await expect(catalog.put(draft({ modelRef: 'hf:other/m' }))).rejects.toMatchObject({
      reason: 'UNTRUSTED_ARTIFACT',
    })
  })

  it('tells what was known of it while its store is away', async () => {
    const { bus, catalog } = start()
    await catalog.put(draft())
    await catalog.list()
    bus.disconnect()
    await expect(catalog.list()).rejects.toMatchObject({ reason: 'BUS_UNAVAILABLE' })
    expect(await catalog.known()).toMatchObject([{ modelId: 'o/m' }])
  })
})

describe('commands about models', () => {
  const pull = (digest = '') =>
    create(CommandHostRequestSchema, {
      ...{ hostId: 'h', idempotencyKey: 'k' },
      command: { case: 'pull', value: { modelRef: 'hf:o/m:x.gguf', digest } },
    })
  const load = (newModelRef: string) =>
    create(CommandPoolRequestSchema, { command: { case: 'reload', value: { newModelRef } } })

  it('pull what the catalog knows by its digest, and nothing else under its name', async () => {
    const { catalog, gate } = start()
    expect(await gate.admitToHost(pull())).toMatchObject({ command: { value: { digest: '' } } })
    await catalog.put(draft({ digest: A }))
    expect(await gate.admitToHost(pull())).toMatchObject({
      ...{ hostId: 'h', idempotencyKey: 'k', command: { case: 'pull', value: { digest: A } } },
    })
    await expect(gate.admitToHost(pull(B))).rejects.toMatchObject({
      ...{ reason: 'UNTRUSTED_ARTIFACT', facts: { param: 'digest', expected: A } },
    })
  })

  it('neither bring nor load what is retired', async () => {
    const { catalog, gate } = start()
    await catalog.put(draft())
    await gate.admitToPool(load('hf:o/m:x.gguf'))
    await catalog.setState('o/m', CatalogState.RETIRED)
    const retired = { reason: 'UNTRUSTED_ARTIFACT', facts: { model_id: 'o/m' } }
    await expect(gate.admitToHost(pull())).rejects.toMatchObject(retired)
    await expect(gate.admitToPool(load('hf:o/m:x.gguf'))).rejects.toMatchObject(retired)
    await gate.admitToPool(load('hf:o/other'))
    await gate.admitToPool(load(''))
  })
})

describe('verification', () => {
  const file = { modelRef: 'hf:o/m:x.gguf', digest: A, revision: COMMIT, isComplete: true }
  /** Hosts h1, h2 ... with one model each. */
  const withFiles = async (
    entry: MessageInitShape<typeof PutCatalogModelRequestSchema>,
    ...files: readonly object[]
  ) => {
    const { catalog } = start()
    await catalog.put(draft(entry))
    const list = async () => ({
      hosts: files.map((model, n) => ({ hostId: `h${n + 1}`, models: [{ ...file, ...model }] })),
    })
    const models = { list } as unknown as HostModels
    return verifyCatalogModel({ catalog, models }, 'o/m', {} as CallContext)
  }

  it('notes when and where the files were those of the entry', async () => {
    expect(await withFiles({ digest: A }, {}, {})).toMatchObject({
      ...{ verifiedHostId: 'h1', verifiedAtMs: BigInt(Math.round(clock.wall())) },
    })
  })

  it('goes by the commit that a reference names where there is no digest', async () => {
    const modelRef = `hf:o/m@${COMMIT}`
    const pinned = { modelRef, digest: '' }
    expect(await withFiles({ modelRef }, pinned)).toMatchObject({ verifiedHostId: 'h1' })
    const other = withFiles({ modelRef }, { ...pinned, revision: 'd'.repeat(40) })
    await expect(other).rejects.toMatchObject({ reason: 'UNTRUSTED_ARTIFACT' })
  })

  it('fails by the host whose file differs', async () => {
    await expect(withFiles({ digest: A }, {}, { digest: B })).rejects.toMatchObject({
      ...{ reason: 'UNTRUSTED_ARTIFACT', facts: { host_id: 'h2', expected: A, found: B } },
    })
  })

  it.each([
    ['nothing to compare with', {}, [{}], 'UNTRUSTED_ARTIFACT'],
    ['no host with the files', { digest: A }, [{ isComplete: false }], 'MODEL_NOT_FOUND'],
  ])('needs more than %s', async (_, entry, files, reason) => {
    await expect(withFiles(entry, ...files)).rejects.toMatchObject({ reason })
  })
})
