import { describe, expect, it } from '@jest/globals'
import { foldLook, MODELS_MAX } from './fold-look.ts'
import type { KeptModel } from './kept-model.ts'

const context = { nameOf: (id: string) => id.toLowerCase(), wall: 1_000, loading: undefined }
const wanted = { modelId: 'M', modelRef: 'M' }
const there: KeptModel = { modelId: 'M', wanted, resident: { modelId: 'M' } }
const look = (before: KeptModel | undefined, resident: readonly string[], more = {}) =>
  foldLook(
    new Map(before ? [['m', before]] : []),
    { resident: resident.map((modelId) => ({ modelId })) },
    { ...context, ...more },
  )

describe('a look at an engine', () => {
  it('finds models that nobody asked for, and keeps the name they were asked for by', () => {
    const { models } = look(there, ['m', 'other'])
    expect([...models.keys()]).toEqual(['m', 'other'])
    expect(models.get('m')).toMatchObject({ modelId: 'M', wanted })
    expect(models.get('other')).toEqual({ modelId: 'other', resident: { modelId: 'other' } })
  })

  it('tells of a wanted model that is gone, which stays wanted', () => {
    const { models, news } = look(there, [])
    expect(news).toEqual([{ kind: 'lost', modelId: 'M' }])
    expect(models.get('m')).toEqual({ modelId: 'M', wanted })
  })

  it.each([
    ['lets go of one that was idle for its time', 900, 'expired', undefined],
    ['tells of one that went before its time', 2_000, 'lost', { ...wanted, ttlMs: 5 }],
  ])('%s', (_what, expiresAtMs, kind, left) => {
    const idle = { ...wanted, ttlMs: 5 }
    const before = { ...there, wanted: idle, resident: { modelId: 'M', expiresAtMs } }
    const { models, news } = look(before, [])
    expect(news).toEqual([{ kind, modelId: 'M' }])
    expect(models.get('m')?.wanted).toEqual(left)
  })

  it('is no news of a model that is being loaded, taken away, or was never asked for', () => {
    expect(look(there, [], { loading: 'm' }).news).toEqual([])
    expect(look({ ...there, leaving: 'unloading' }, []).news).toEqual([])
    expect(look({ modelId: 'M', resident: { modelId: 'M' } }, []).news).toEqual([])
  })

  it('forgets what is neither wanted, in memory nor on disk', () => {
    expect(look({ modelId: 'M', resident: { modelId: 'M' } }, []).models.size).toBe(0)
  })

  it('remembers only so many, and every one that is wanted', () => {
    const onDisk = Array.from({ length: MODELS_MAX + 9 }, (_, at) => ({ modelId: `${at}` }))
    const { models: full } = foldLook(new Map(), { resident: [], onDisk }, context)
    expect(full.size).toBe(MODELS_MAX)
    const before = new Map([...full, ['m', { modelId: 'M', wanted }] as const])
    const { models } = foldLook(before, { resident: [{ modelId: 'm' }], onDisk }, context)
    expect(models.get('m')).toMatchObject({ wanted, resident: { modelId: 'm' } })
  })

  it('keeps what is on disk until it asks again', () => {
    const before: KeptModel = { modelId: 'M', onDisk: { modelId: 'M' } }
    expect(look(before, []).models.get('m')).toEqual(before)
    const asked = foldLook(new Map([['m', before]]), { resident: [], onDisk: [] }, context)
    expect(asked.models.size).toBe(0)
  })

  it('takes what is there for no trouble', () => {
    const report = { kind: 'exit', message: '', isRetriable: false } as const
    const before: KeptModel = { modelId: 'M', wanted, trouble: { report, tries: 3 } }
    expect(look(before, ['m']).models.get('m')?.trouble).toBeUndefined()
    expect(look(before, []).models.get('m')?.trouble).toBeDefined()
  })
})
