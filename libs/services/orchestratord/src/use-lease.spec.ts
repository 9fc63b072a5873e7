import { LeaseOutcome } from '@berth/contract'
import { describe, expect, it } from '@jest/globals'
import { createSimClock } from '@berth/kernel/testing'
import { createSilentLogger } from '@berth/runtime'
import type { Caller } from './caller.ts'
import type { Ingress } from './ingress.ts'
import type { Session } from './session.ts'
import { useLease } from './use-lease.ts'

const refusing =
  (refusal: string): Ingress =>
  async () => ({
    status: 503,
    headers: { 'berth-refusal': refusal },
    body: (async function* () {})(),
    trailers: () => ({}),
    discard: () => undefined,
  })

const caller: Caller = {
  gone: new AbortController().signal,
  queued: () => undefined,
  started: () => undefined,
  answer: () => undefined,
  write: () => undefined,
  end: () => undefined,
  fail: () => undefined,
}

const refusedWith = async (refusal: string) => {
  const released: LeaseOutcome[] = []
  const session: Pick<Session, 'release' | 'outdated'> = {
    outdated: () => undefined,
    release: (_leaseId, { outcome }) => void released.push(outcome),
  }
  const end = await useLease(
    {
      session: session as Session,
      ingress: refusing(refusal),
      clock: createSimClock(),
      log: createSilentLogger(),
    },
    {
      grant: {
        leaseId: 'l1',
        poolId: 'p1',
        instanceId: 'i1',
        ingressAddress: 'h1:7081',
        token: 't',
        queuedMs: 0,
        queueDepth: 0,
        kvWarmth: false,
        revoked: new AbortController().signal,
      },
      attempt: 0,
      request: { job: {}, path: '/v1/chat/completions', headers: {}, body: new Uint8Array() },
    },
    caller,
  )
  return { end, released }
}

describe('a lease the ingress refuses', () => {
  it.each([
    ['no_slot', false],
    ['stale_epoch', false],
    ['stale_term', false],
    ['bad_token', false],
    ['replayed', false],
    ['draining', true],
    ['not_ready', true],
    ['wrong_pool', true],
    ['unsupported_route', true],
    ['expired', true],
  ])('with %s is released once; the retry goes elsewhere: %s', async (refusal, isPoolBad) => {
    const { end, released } = await refusedWith(refusal)
    expect(end).toMatchObject({ kind: 'retry', reason: refusal, isPoolBad })
    expect(released).toEqual([LeaseOutcome.REFUSED])
  })
})
