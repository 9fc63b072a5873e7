import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import { foldLook } from './fold-look.ts'
import type { KeptModel, KeptModels } from './kept-model.ts'
import { nextMove } from './next-move.ts'

const NAMES = ['a', 'b', 'c'] as const
const report = { kind: 'exit', message: '', isRetriable: true } as const

const kept = (modelId: string): fc.Arbitrary<KeptModel> =>
  fc.record(
    {
      modelId: fc.constant(modelId),
      wanted: fc.record(
        {
          modelId: fc.constant(modelId),
          modelRef: fc.constant(modelId),
          ttlMs: fc.nat({ max: 100 }),
        },
        { requiredKeys: ['modelId', 'modelRef'] },
      ),
      resident: fc.record(
        { modelId: fc.constant(modelId), expiresAtMs: fc.nat({ max: 200 }) },
        { requiredKeys: ['modelId'] },
      ),
      leaving: fc.constantFrom('draining', 'unloading'),
      trouble: fc.record(
        { report: fc.constant(report), tries: fc.nat({ max: 5 }), retryAt: fc.nat({ max: 200 }) },
        { requiredKeys: ['report', 'tries'] },
      ),
    },
    { requiredKeys: ['modelId'] },
  )
const models: fc.Arbitrary<KeptModels> = fc
  .tuple(...NAMES.map(kept))
  .map((all) => new Map(all.map((model) => [model.modelId, model])))
const times = fc.record({ now: fc.nat({ max: 200 }), wall: fc.nat({ max: 200 }) })

describe('whatever is known of the models of an engine', () => {
  it('a move is of one that is wanted and not being taken away', () => {
    fc.assert(
      fc.property(models, times, fc.nat({ max: 200 }), (known, time, idleMs) => {
        const move = nextMove(known, { ...time, renewBeforeMs: 50, idleMsOf: () => idleMs })
        const model = move && known.get(move.name)
        expect(model?.leaving).toBeUndefined()
        expect(move === undefined || model?.wanted !== undefined).toBe(true)
        // What is there is never loaded, what is not there never renewed or unloaded.
        expect(move === undefined || (move.kind === 'load') === !model?.resident).toBe(true)
      }),
    )
  })

  it('one that nobody uses is the only one that is unloaded for being idle', () => {
    fc.assert(
      fc.property(models, times, (known, time) => {
        const move = nextMove(known, { ...time, renewBeforeMs: 50, idleMsOf: () => 0 })
        const model = move && known.get(move.name)
        expect(move?.kind === 'unload' && model?.wanted?.ttlMs !== 0).toBe(false)
      }),
    )
  })

  it('moves that succeed come to an end with every wanted model there', () => {
    fc.assert(
      fc.property(models, times, (known, time) => {
        let now: KeptModels = new Map(
          [...known].map(([name, { leaving: _, trouble: __, ...model }]) => [name, model]),
        )
        const resident = new Set([...now].filter(([, m]) => m.resident).map(([name]) => name))
        let moves = 0
        for (; moves < 20; moves += 1) {
          const move = nextMove(now, { ...time, renewBeforeMs: 50, idleMsOf: () => 0 })
          if (!move) break
          if (move.kind === 'unload') resident.delete(move.name)
          else resident.add(move.name)
          // As the engine lists them then: those that stay, without an end.
          const listed = [...resident].map((modelId) => ({ modelId }))
          const context = { nameOf: (id: string) => id, wall: time.wall, loading: undefined }
          now = foldLook(now, { resident: listed }, context).models
          if (move.kind === 'unload') {
            const { wanted: _, ...rest } = now.get(move.name) ?? { modelId: move.name }
            now = new Map([...now, [move.name, rest]])
          }
        }
        expect(moves).toBeLessThan(20)
        expect([...now.values()].every(({ wanted, resident: is }) => !wanted || is)).toBe(true)
      }),
    )
  })
})
