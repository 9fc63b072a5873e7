import { expect } from '@jest/globals'
import { describeFailure, runSeed, type SeedOptions, type SeedResult } from '@berth/sim'
import { commit } from './commit.ts'

/** Runs a seed; a broken one fails with its trace and the command that plays it again. */
export const expectClean = async (options: SeedOptions): Promise<SeedResult> => {
  const result = await runSeed(options)
  const problem =
    result.violations.length > 0 ? describeFailure(result, { ...options, commit: commit() }) : ''
  expect(problem).toBe('')
  return result
}
