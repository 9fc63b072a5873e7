import { expect, it } from '@jest/globals'
import { checkBus } from './check-bus.ts'

const reached = { isReachable: true, version: '2.9.10' } as const
const lineOf = (check: string, look: Parameters<typeof checkBus>[1]) =>
  checkBus('nats://u:secret@h:4222', look).find((line) => line.check === check)

it.each([
  [0, 'ok', '0 ms ahead of the NATS server'],
  [-999, 'ok', '999 ms behind the NATS server'],
  [1_000, 'warn', '1000 ms ahead of the NATS server'],
  [-14_999, 'warn', '14999 ms behind the NATS server'],
  [15_000, 'fail', '15000 ms ahead of the NATS server: leases expire before they are used'],
  [-15_000, 'fail', '15000 ms behind the NATS server: leases'],
])('a clock that is %d ms ahead is %s', (aheadMs, status, message) => {
  const line = lineOf('clock', { ...reached, aheadMs })
  expect(line?.status).toBe(status)
  expect(line?.message).toContain(message)
})

it('a clock that cannot be compared is no fault', () => {
  expect(lineOf('clock', reached)?.status).toBe('ok')
  expect(lineOf('clock', { isReachable: false, problem: 'gone' })?.status).toBe('warn')
})

it('NATS without JetStream fails, and no password is shown', () => {
  const line = lineOf('NATS', { ...reached, jetStreamProblem: 'not enabled' })
  expect(line?.status).toBe('fail')
  expect(line?.message).toBe('nats://h:4222 has no JetStream for this user: not enabled')
})

it('core is who leads, whatever was written there', () => {
  const leader = '{"leaderId":"core-1","address":"127.0.0.1:7070","term":3}'
  expect(lineOf('core', { ...reached, leader })?.message).toBe('core-1 at 127.0.0.1:7070 leads')
  expect(lineOf('core', { ...reached, leader: 'garbage' })?.message).toBe('garbage leads')
  expect(lineOf('core', reached)?.status).toBe('warn')
})

it('a NATS that refuses the user is told from one that is away', () => {
  const adviceOn = (problem: string) => lineOf('NATS', { isReachable: false, problem })?.advice
  expect(adviceOn('Authorization Violation')).toContain('nats_user')
  expect(adviceOn('connection refused')).toContain('Start it')
})
