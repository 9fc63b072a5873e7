import { expect, it } from '@jest/globals'
import { LINES_KEPT, createLogRing } from './log-ring.ts'

it('keeps the last lines, each cut to a bounded length [002-32b]', () => {
  const ring = createLogRing()
  for (let at = 0; at < 2_500; at++) ring.push([`line ${at}`])
  ring.push(['x'.repeat(100_000)])
  const kept = ring.last(LINES_KEPT + 1)
  expect(kept).toHaveLength(LINES_KEPT)
  expect(kept[0]).toBe('line 1501')
  expect(kept.at(-1)).toHaveLength(4_096)
})
