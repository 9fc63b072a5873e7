import { expect, it } from '@jest/globals'
import { subjectCovers, subjects } from './subjects.ts'

it('spells the subjects of hosts and events', () => {
  expect(subjects.hostSnapshot('gpu-1').name).toBe('berth.v1.host.gpu-1.snapshot')
  expect(subjects.hostHeartbeat('gpu-1').name).toBe('berth.v1.host.gpu-1.heartbeat')
  expect(subjects.event('pool', 'gpu-1').name).toBe('berth.v1.event.pool.gpu-1')
})

it('keeps an id one token, whatever it holds', () => {
  expect(subjects.event('a.b', '*>').name).toBe('berth.v1.event.a_b.__')
  expect(subjects.hostSnapshot('').name).toBe('berth.v1.host._.snapshot')
})

it.each([
  ['a.b', 'a.b', true],
  ['a.*', 'a.b', true],
  ['a.*', 'a.b.c', false],
  ['a.*.c', 'a.b', false],
  ['a.>', 'a.b.c', true],
  ['a.>', 'a', false],
  ['a.b', 'a', false],
  ['a', 'a.b', false],
])('knows whether %s covers %s', (pattern, subject, covered) => {
  expect(subjectCovers(pattern, subject)).toBe(covered)
})
