import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { resolveMask, type FoundDevice, type GpuProcess } from '@berth/devices'
import { createSimClock } from '@berth/kernel/testing'
import { DEFAULT_LEDGER_POLICY, type MemoryPlan, type ModelFacts } from '@berth/memory'
import { createSilentLogger } from '@berth/runtime'
import type { EngineDriver } from '@berth/supervision'
import type { PoolSpec } from '../pools-file/pool-spec.ts'
import { fitLoad } from './fit-load.ts'
import { openCorrections, type KeptCorrections } from './keep-corrections.ts'
import { MemoryBook } from './memory-book.ts'
import type { MemoryLoad } from './memory-load.ts'

const GIB = 1_073_741_824
const LOG = createSilentLogger()

let stateDir: string
let writing: KeptCorrections[] = []
beforeEach(async () => {
  stateDir = await mkdtemp(join(tmpdir(), 'berth-ledger-'))
})
afterEach(async () => {
  for (const each of writing) await each.written()
  writing = []
  await rm(stateDir, { recursive: true })
})

/** Devices that have what a test says, looked at on a clock the test moves. */
const createRig = async (freeGib = 40) => {
  const clock = createSimClock()
  const gpu = { free: freeGib * GIB, shown: [] as readonly GpuProcess[] | undefined }
  const found = (): readonly FoundDevice[] => [
    { ...PLAIN, deviceId: 'cpu', uuid: 'cpu', kind: 'cpu', memoryTotalBytes: 64 * GIB },
    {
      ...{ ...PLAIN, deviceId: '0', uuid: 'GPU-0', kind: 'nvidia' },
      ...{ memoryTotalBytes: 40 * GIB, memoryFreeBytes: gpu.free },
    },
  ]
  const listeners = new Set<(hasChanged: boolean) => void>()
  const corrections = await openCorrections(stateDir, LOG)
  writing.push(corrections)
  const look = () => {
    for (const fn of listeners) fn(false)
    return Promise.resolve()
  }
  const book = new MemoryBook({
    ...{ clock, log: LOG, corrections },
    policy: { ...DEFAULT_LEDGER_POLICY, releaseTimeoutMs: 10_000 },
    devices: {
      get found() {
        return found()
      },
      resolve: (mask) => resolveMask(mask, found()),
      processes: () => Promise.resolve(gpu.shown),
      look,
      onLook: (fn) => {
        listeners.add(fn)
        return () => listeners.delete(fn)
      },
    },
    pidsOf: (_, pid) => [pid],
  })
  /** The engine is up, with so much in its processes. */
  const serve = async (id: string, pid: number, usedGib: number) => {
    gpu.free -= usedGib * GIB
    gpu.shown = [...(gpu.shown ?? []), { gpuUuid: 'GPU-0', pid, memoryBytes: usedGib * GIB }]
    book.serving(id, pid)
    await clock.advance(1_000)
  }
  return { clock, gpu, book, corrections, serve, look }
}

const PLAIN = { name: 'GPU', computeCapability: '8.9', cores: 0 } as const

const ALLOCATED: MemoryPlan = {
  ...{ kind: 'allocated', kvTokens: 0, sequences: 1, keyBytes: 2, valueBytes: 2, batchTokens: 1 },
  ...{ isWindowIgnored: false, gpuBlocks: 'all', overheadBytes: 0 },
}
/** A model whose weights are all it takes, but for some MiB. */
const factsOf = (weightGib: number): ModelFacts => ({
  ...{ format: 'gguf', architecture: 'llama', quantization: 'F16', weightBytes: weightGib * GIB },
  ...{ contextLength: 1, blocks: 1, embeddingLength: 1, vocabularySize: 1 },
  widths: { heads: 1, queryNumbers: 1, feedForward: 1, expertsUsed: 0, expertFeedForward: 0 },
  dimensions: {
    ...{ layers: 1, kvHeads: 1, keyDim: 1, valueDim: 1, kvDtypeBytes: 2 },
    ...{ windowLayers: 0, windowTokens: 0, latentDim: 0 },
  },
  caches: [{ keyNumbers: 1, valueNumbers: 1, kvHeads: 1, windowTokens: 0, stateBytes: 0 }],
})

const loadOf = (
  poolId: string,
  weightGib: number | undefined,
  more: Partial<PoolSpec> = {},
  plan: MemoryPlan = ALLOCATED,
): MemoryLoad => ({
  entryId: `${poolId}-1`,
  spec: {
    ...{ poolId, devices: ['0'], modelRef: `file:${poolId}.gguf`, ...more },
    engine: {
      ...{ engine: 'llamacpp', mode: 'managed', modelId: poolId, slots: 1, contextLength: 1 },
      options: {},
    },
  } as unknown as PoolSpec,
  driver: { memoryPlan: () => plan } as unknown as EngineDriver,
  ...(weightGib === undefined ? {} : { facts: factsOf(weightGib) }),
  engineVersion: 'b8193',
})

describe('a load', () => {
  it('[000-T023, 000-T032] is booked before its engine starts, and leaves headroom and buffer', async () => {
    const { book } = await createRig()
    expect(await book.book(loadOf('a', 20))).toBeUndefined()
    const [entry] = book.ledger.entries
    expect(entry).toMatchObject({ poolId: 'a', state: 'reserved', correction: 1 })
    expect(entry!.shares[0]!.reservedBytes).toBeGreaterThanOrEqual(22 * GIB)
    // 20 and a tenth would fit into 40 once, and 8 are kept free.
    expect(await book.book(loadOf('b', 10))).toMatchObject({ kind: 'out_of_vram' })
    expect(await book.book(loadOf('c', 8))).toBeUndefined()
  })

  it('that does not fit is told what it needs, what there is, and who holds it', async () => {
    const rig = await createRig()
    await rig.book.book(loadOf('a', 20))
    await rig.serve('a-1', 71, 20)
    rig.gpu.free -= 2 * GIB
    rig.gpu.shown = [...rig.gpu.shown!, { gpuUuid: 'GPU-0', pid: 4_711, memoryBytes: 2 * GIB }]
    const report = await rig.book.book(loadOf('b', 20))
    expect(report).toMatchObject({ kind: 'out_of_vram', isRetriable: true })
    expect(report!.message).toMatch(
      /GPU 0 needs 22\.\d GiB and has 18\.0 of 40\.0 GiB to give, 8\.0 of them kept free/,
    )
    expect(report!.message).toContain('Held by pool a (20.0 GiB), process 4711 (2.0 GiB).')
  })

  it('[003-FR-028] that reserves a share needs no headroom and no file of the model', async () => {
    const { book } = await createRig()
    const share: MemoryPlan = {
      ...{ kind: 'reserved', share: 0.9, parallel: 1, maxTokens: 1, kvNumberBytes: 2 },
      overheadBytes: 0,
    }
    expect(await book.book(loadOf('v', undefined, {}, share))).toBeUndefined()
    expect(book.ledger.entries[0]!.shares).toMatchObject([{ reservedBytes: 36 * GIB }])
  })

  it('nobody can estimate is let in by the budget of its pool, and refused beyond it', async () => {
    const { book } = await createRig()
    const unknown: MemoryPlan = { kind: 'unknown' }
    const budget = { vramBudgetBytes: 30 * GIB }
    expect(await book.book(loadOf('o', undefined, budget, unknown))).toBeUndefined()
    expect(book.ledger.entries[0]!.shares).toMatchObject([{ reservedBytes: 30 * GIB }])
    expect(await book.book(loadOf('p', undefined, budget, unknown))).toMatchObject({
      kind: 'out_of_vram',
    })
  })

  it('[000-T032] of a format nobody knows is refused, unless the operator has a figure for it', async () => {
    const { book } = await createRig()
    const { caches: _, widths: _widths, ...strange } = factsOf(10)
    const load = { ...loadOf('a', 10), facts: strange }
    const report = await book.book(load)
    expect(report).toMatchObject({ kind: 'model_invalid', isRetriable: false })
    expect(report!.message).toContain('vram_budget_bytes')
    const budget = { ...load.spec, vramBudgetBytes: 12 * GIB }
    expect(await book.book({ ...load, spec: budget })).toBeUndefined()
    expect(book.ledger.entries[0]!.shares).toMatchObject([{ reservedBytes: 12 * GIB }])
  })

  it('is held to the budget of its pool, and two budgets may fill a device', async () => {
    const { book } = await createRig()
    const over = await book.book(loadOf('a', 20, { vramBudgetBytes: 20 * GIB }))
    expect(over!.message).toMatch(/needs 22\.\d GiB of GPU 0 .* vram_budget_bytes are 20\.0 GiB/)
    const half = { vramBudgetBytes: 20 * GIB }
    expect(await book.book(loadOf('b', 18, half))).toBeUndefined()
    expect(await book.book(loadOf('c', 18, half))).toBeUndefined()
  })

  it('on the processor is refused only where main memory cannot hold its weights', async () => {
    const { book } = await createRig()
    expect(await book.book(loadOf('a', 60, { devices: ['cpu'] }))).toBeUndefined()
    expect(await book.book(loadOf('b', 65, { devices: ['cpu'] }))).toMatchObject({
      ...{ kind: 'out_of_memory', isRetriable: false },
      message: expect.stringContaining('65.0 GiB') as unknown,
    })
  })
})

describe('what an engine took', () => {
  it('[000-T014] is what is booked from then on, and what its next load is estimated by', async () => {
    const rig = await createRig()
    await rig.book.book(loadOf('a', 10))
    await rig.serve('a-1', 71, 13)
    expect(rig.book.ledger.entries[0]).toMatchObject({
      state: 'observed',
      shares: [{ usedBytes: 13 * GIB }],
    })
    expect(rig.book.errors.get('a')).toBeCloseTo(0.23, 1)
    rig.book.release('a-1')
    rig.gpu.free = 40 * GIB
    await rig.book.book({ ...loadOf('a', 10), entryId: 'a-2' })
    const [again] = rig.book.ledger.entries
    expect(again!.shares[0]!.reservedBytes).toBeCloseTo(13 * GIB * 1.1, -8)
    await rig.serve('a-2', 72, 13)
    expect(rig.book.errors.get('a')).toBeLessThan(0.1)
  })

  it('is learned for the next life of the agent too', async () => {
    const rig = await createRig()
    await rig.book.book(loadOf('a', 10))
    await rig.serve('a-1', 71, 13)
    await rig.corrections.written()
    const next = await createRig()
    await next.book.book(loadOf('a', 10))
    expect(next.book.ledger.entries[0]!.correction).toBeCloseTo(1.3, 1)
  })

  it('is what the engine says of its buffers, where the driver shows no processes', async () => {
    const rig = await createRig()
    await rig.book.book(loadOf('a', 10))
    rig.gpu.shown = undefined
    const device = 'CUDA0'
    rig.book.hear('a-1', { kind: 'memory', device, use: 'weights', bytes: 10 * GIB })
    rig.book.hear('a-1', { kind: 'memory', device, use: 'kv', bytes: GIB })
    rig.book.serving('a-1', 71)
    await rig.clock.advance(1_000)
    expect(rig.book.entryOf('a-1')).toMatchObject({
      state: 'observed',
      shares: [{ usedBytes: 11 * GIB }],
    })
  })

  it('[003-AC-031] is measured anew once a minute while it serves', async () => {
    const rig = await createRig()
    await rig.book.book(loadOf('a', 10))
    await rig.serve('a-1', 71, 10)
    rig.gpu.shown = [{ gpuUuid: 'GPU-0', pid: 71, memoryBytes: 12 * GIB }]
    expect(rig.book.entryOf('a-1')!.shares[0]!.usedBytes).toBe(10 * GIB)
    for (let look = 0; look < 12; look += 1) await rig.look()
    await rig.clock.advance(0)
    expect(rig.book.entryOf('a-1')!.shares[0]!.usedBytes).toBe(12 * GIB)
  })

  it('that was not enough makes the next one ask for more', async () => {
    const { book } = await createRig()
    await book.book(loadOf('a', 10))
    const first = book.entryOf('a-1')!.shares[0]!.reservedBytes
    book.fellShort('a-1')
    book.release('a-1')
    await book.book({ ...loadOf('a', 10), entryId: 'a-2' })
    expect(book.entryOf('a-2')!.shares[0]!.reservedBytes).toBeGreaterThan(first * 1.1)
  })

  it('of an engine of an earlier life is booked as it is measured', async () => {
    const rig = await createRig(10)
    rig.book.adopt(loadOf('a', 30))
    rig.gpu.free += 30 * GIB
    await rig.serve('a-1', 71, 30)
    expect(rig.book.entryOf('a-1')).toMatchObject({
      state: 'observed',
      shares: [{ usedBytes: 30 * GIB }],
    })
  })
})

describe('a fit', () => {
  it('says term by term what a start would take, and books nothing', async () => {
    const { book } = await createRig()
    const fit = await fitLoad(loadOf('a', 20), book)
    expect(fit).toMatchObject({ correction: 1, evictable: [] })
    expect(fit).not.toHaveProperty('refusal')
    expect(fit.needs[0]).toMatchObject({ deviceId: '0', availableBytes: 40 * GIB })
    expect(fit.needs[0]!.requiredBytes).toBeGreaterThanOrEqual(22 * GIB)
    expect(fit.weighed.basis).toBe("the header of the model's files")
    expect(book.ledger.entries).toEqual([])
  })

  it('[001-LDR-2] names the models whose end would make room, the cheapest first', async () => {
    const rig = await createRig()
    for (const [pid, id, size] of [
      [71, 'small', 4],
      [72, 'large', 14],
      [73, 'middle', 9],
    ] as const) {
      await rig.book.book(loadOf(id, size))
      await rig.serve(`${id}-1`, pid, size)
    }
    const { refusal, evictable } = await fitLoad(loadOf('x', 12), rig.book)
    expect(refusal).toContain('GPU 0 needs 13.2 GiB and has 13.0 of 40.0 GiB')
    expect(evictable).toEqual(['middle', 'large'])
  })

  it('counts what the own engine of the pool has as free: the model takes its place', async () => {
    const rig = await createRig()
    await rig.book.book(loadOf('a', 25))
    await rig.serve('a-1', 71, 25)
    await rig.look()
    expect((await fitLoad(loadOf('a', 26), rig.book)).refusal).toBeUndefined()
    expect((await fitLoad(loadOf('b', 26), rig.book)).refusal).toContain('Held by pool a')
  })
})

describe('memory that an engine had', () => {
  const ended = async () => {
    const rig = await createRig()
    await rig.book.book(loadOf('a', 25))
    await rig.serve('a-1', 71, 25)
    rig.gpu.shown = []
    rig.book.release('a-1')
    return rig
  }

  it('[000-T059] is awaited by the next load until it is seen free', async () => {
    const rig = await ended()
    const steps: string[] = []
    const booking = rig.book.book(loadOf('b', 20), { onStep: (step) => steps.push(step) })
    await rig.clock.advance(5_000)
    expect(rig.book.entryOf('a-1')?.state).toBe('releasing')
    expect(steps.at(-1)).toBe('waiting for the memory that the last engine of pool a had')
    rig.gpu.free = 40 * GIB
    await rig.clock.advance(500)
    expect(await booking).toBeUndefined()
    expect(rig.book.ledger.entries.map(({ poolId }) => poolId)).toEqual(['b'])
  })

  it('[000-T059] and does not come back is waited for until its deadline, then told with its holder', async () => {
    const rig = await ended()
    rig.gpu.shown = [{ gpuUuid: 'GPU-0', pid: 99, memoryBytes: 25 * GIB }]
    const booking = rig.book.book(loadOf('b', 20))
    await rig.clock.advance(9_000)
    expect(rig.book.entryOf('a-1')?.state).toBe('releasing')
    await rig.clock.advance(1_500)
    const report = await booking
    expect(report!.message).toContain('Held by process 99 (25.0 GiB).')
    expect(report!.message).toContain(
      'memory that the last engine of pool a had did not come back in 10 s',
    )
  })

  it('is not waited for by who no longer wants to start', async () => {
    const rig = await ended()
    const giveUp = new AbortController()
    const booking = rig.book.book(loadOf('b', 20), { signal: giveUp.signal })
    const outcome = expect(booking).rejects.toThrow('enough')
    await rig.clock.advance(1_000)
    giveUp.abort(new Error('enough'))
    await outcome
    expect(rig.book.entryOf('b-1')).toBeUndefined()
  })
})
