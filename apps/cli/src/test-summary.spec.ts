import { describe, expect, it } from '@jest/globals'
import { summarise } from './test-summary.ts'

describe('the end of ./berth test', () => {
  it('repeats what failed, shows the time of each suite, and counts everything', () => {
    const lines = summarise([
      {
        suite: { name: 'lint' },
        counts: { passed: 1, failed: 0, skipped: 0 },
        failures: [],
        tookMs: 61_000,
      },
      {
        suite: { name: 'unit' },
        counts: { passed: 900, failed: 1, skipped: 2 },
        failures: [{ name: 'a.spec.ts › adds', lines: ['Expected: 3', 'Received: 2'] }],
        tookMs: 9_000,
      },
    ])
    expect(lines).toEqual([
      '',
      '✗ unit: a.spec.ts › adds',
      '    Expected: 3',
      '    Received: 2',
      '',
      '  SUITE  PASSED  FAILED  SKIPPED  TIME',
      '✓ lint   1       0       0        1 min 1 s',
      '✗ unit   900     1       2        9 s',
      '  all    901     1       2        1 min 10 s',
      '901 passed, 1 failed, 2 skipped',
    ])
  })
})
