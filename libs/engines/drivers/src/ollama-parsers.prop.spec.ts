import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import { ollamaDriver } from './ollama-driver.ts'
import { engineSpec } from './testing/engine-spec.ts'

const calls = ollamaDriver.modelCalls!(engineSpec('ollama'))!
/** Text of any kind, and JSON that almost is what Ollama answers. */
const anyModel = fc.record(
  {
    ...{ name: fc.anything(), model: fc.anything(), digest: fc.anything() },
    ...{ size: fc.anything(), size_vram: fc.anything(), expires_at: fc.anything() },
    ...{ details: fc.anything(), context_length: fc.anything() },
  },
  { requiredKeys: [] },
)
const anyList = fc.oneof(fc.anything(), fc.record({ models: fc.array(anyModel) }))
const anyFrame = fc.record(
  {
    ...{ status: fc.anything(), digest: fc.anything(), total: fc.anything() },
    ...{ completed: fc.anything(), error: fc.anything(), done: fc.anything() },
  },
  { requiredKeys: [] },
)
const jsonOf = (value: unknown): string => {
  try {
    const text: unknown = JSON.stringify(value)
    return typeof text === 'string' ? text : ''
  } catch {
    // BigInt and cycles have no JSON: then it is some other text.
    return 'none'
  }
}

describe('whatever Ollama answers, reading it', () => {
  it('never throws, and takes only whole numbers of bytes', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), anyList.map(jsonOf)), (body) => {
        for (const listed of [calls.readResident(body), calls.readOnDisk!(body)])
          for (const { modelId, memoryBytes = 0, gpuBytes = 0 } of listed ?? []) {
            expect(typeof modelId).toBe('string')
            expect([memoryBytes, gpuBytes].every((n) => Number.isSafeInteger(n) && n >= 0)).toBe(
              true,
            )
          }
      }),
    )
  })

  it('a line of a call is a sign or nothing', () => {
    const line = fc.oneof(fc.string(), anyFrame.map(jsonOf))
    fc.assert(
      fc.property(line, fc.integer({ min: 100, max: 599 }), (text, status) => {
        const sign = calls.readLine(text, status)
        expect(['progress', 'done', 'failed', undefined]).toContain(sign?.kind)
        // Nothing that failed looks like a success.
        if (status >= 300) expect(sign?.kind).toBe('failed')
      }),
    )
  })

  it('a line of its log never throws, and the longest is read within the time of a test', () => {
    fc.assert(fc.property(fc.string(), (text) => void ollamaDriver.readLog!(text)))
    // Quadratic reading of these would take minutes.
    const parts = ['buffer size =', ' ', '9', 'load_tensors: ', 'a:\t']
    const signs = parts.map((part) => ollamaDriver.readLog!(part.repeat(200_000)))
    expect(signs).toEqual(parts.map(() => undefined))
  })

  it('a name is one name however often it is written short', () => {
    fc.assert(
      fc.property(fc.string(), (name) => {
        const once = calls.nameOf!(name)
        expect(calls.nameOf!(once)).toBe(calls.nameOf!(calls.nameOf!(once)))
      }),
    )
  })
})
