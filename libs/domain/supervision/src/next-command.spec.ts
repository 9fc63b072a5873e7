import { expect, it } from '@jest/globals'
import type { CrashReport } from './driver.ts'
import { errorOf, startByHand } from './next-command.ts'

const reportOf = (kind: CrashReport['kind'], isRetriable: boolean): CrashReport => ({
  ...{ kind, isRetriable, message: 'Why.' },
})

it.each([
  ['exit', true, 'Why. See: berth pools logs p1'],
  ['hang', true, 'Why. See: berth pools history p1, berth pools logs p1'],
  ['unhealthy', true, 'Why. See: berth pools history p1, berth pools logs p1'],
  ['bad_option', false, 'Why. Then: berth pools start p1'],
  ['hang', false, 'Why. Then: berth pools start p1'],
] as const)('the error of a pool ends with what to type next (%s) [002-26a2]', (kind, is, told) => {
  expect(errorOf(reportOf(kind, is), 'p1')).toBe(told)
})

it('a pool that stays away is started by hand', () => {
  expect(startByHand('Why.', 'p1')).toBe('Why. Then: berth pools start p1')
})
