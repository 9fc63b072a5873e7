import { describe, expect, it } from '@jest/globals'
import { correctionFor, learn, NO_CORRECTIONS } from '@berth/memory'
import { findLlamaServer } from '@berth/test-support'
import { ESTIMATE_GRID, MEASURED_GRID } from './src/estimate-grid.ts'
import { loggedTotal, runEstimate, termOf } from './src/run-estimate.ts'

const llamaServer = findLlamaServer()
const MIB = 1_048_576
/** The log has two decimals of a MiB; half of the last one on each line. */
const roundingOf = (lines: number) => lines * 0.005 * MIB + 1

if (llamaServer === undefined) {
  describe.skip(`estimates (skipped: there is no llama-server, see tools/llama-server)`, () => {
    it('come to what llama-server logs', () => undefined)
  })
} else {
  describe('the estimate of a load, beside what llama-server logs of it', () => {
    it.each(ESTIMATE_GRID)(
      '$name: $contextLength tokens in $slots slots',
      async (each) => {
        const run = await runEstimate(llamaServer, each)
        const { estimate, logged, loggedLines } = run
        const rounding = roundingOf(loggedLines)
        const offBy = (name: string, use = name) =>
          Math.abs(termOf(estimate, name) - (logged[use] ?? 0))
        expect(offBy('kv_cache', 'kv')).toBeLessThan(rounding)
        expect(offBy('recurrent')).toBeLessThan(rounding)
        expect(offBy('weights')).toBeLessThan(rounding)
        expect(estimate.requiredBytes / loggedTotal(run)).toBeGreaterThan(0.9)
        expect(estimate.requiredBytes / loggedTotal(run)).toBeLessThan(1.1)
      },
      60_000,
    )
  })

  describe('the estimate of a second load, beside the memory of its process', () => {
    it.each(MEASURED_GRID)(
      'is within 10 % after one observation: $name',
      async (each) => {
        const first = await runEstimate(llamaServer, each)
        const estimateBytes = first.estimate.requiredBytes
        const usedBytes = first.residentBytes
        const learned = learn(NO_CORRECTIONS, 'key', { estimateBytes, usedBytes })
        const second = await runEstimate(llamaServer, each)
        const corrected = second.estimate.requiredBytes * correctionFor(learned, 'key')
        expect(corrected / second.residentBytes).toBeGreaterThan(0.9)
        expect(corrected / second.residentBytes).toBeLessThan(1.1)
      },
      60_000,
    )
  })
}
