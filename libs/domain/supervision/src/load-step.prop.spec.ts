import { expect, it } from '@jest/globals'
import fc from 'fast-check'
import { LOAD_PHASES, advance, type LoadSign, type LoadStep } from './load-step.ts'

const figure = fc.option(fc.oneof(fc.double(), fc.integer({ min: -5, max: 200 })), {
  nil: undefined,
})
const anySign = fc.record({
  phase: fc.constantFrom(...LOAD_PHASES),
  percent: figure,
  bytesDone: figure,
  bytesTotal: figure,
}) as fc.Arbitrary<LoadSign>

it('[001-MLP-13] whatever is told of a load, it never goes back, and its figures can be', () => {
  fc.assert(
    fc.property(fc.array(anySign, { maxLength: 50 }), (signs) => {
      let step: LoadStep | undefined
      for (const [now, sign] of signs.entries()) {
        const before = step
        step = advance(step, sign, now)
        const { phase, percent = 0, bytesDone = 0, bytesTotal = 0 } = step!
        expect(percent).toBeGreaterThanOrEqual(0)
        expect(percent).toBeLessThanOrEqual(100)
        expect(Number.isFinite(bytesDone + bytesTotal)).toBe(true)
        const [was, is] = [before?.phase ?? phase, phase].map((one) => LOAD_PHASES.indexOf(one))
        expect(is).toBeGreaterThanOrEqual(was!)
        if (phase === before?.phase) expect(percent).toBeGreaterThanOrEqual(before.percent ?? 0)
        // It is dated by when it came further, and only then another value.
        expect(step!.advancedAt).toBe(step === before ? before!.advancedAt : now)
      }
    }),
    { numRuns: 500 },
  )
})
