import { create } from '@bufbuild/protobuf'
import { describe, expect, it } from '@jest/globals'
import { HelloSchema } from '@berth/contract'
import { seededRng } from '@berth/kernel'
import { createSimClock } from '@berth/kernel/testing'
import { keepSession } from './keep-session.ts'
import type { Link } from './session-link.ts'

/** A core that is not there. */
const deadLink = (): Link => ({
  messages: (async function* () {
    throw new Error('connection refused')
  })(),
  send: () => undefined,
  bufferedMessages: 0,
  close: () => undefined,
})

describe('the search for a leader', () => {
  it('asks every core in turn, soon enough to add little to the time without one', async () => {
    const clock = createSimClock()
    const stopping = new AbortController()
    const tries: { readonly address: string; readonly atMs: number }[] = []
    const kept = keepSession({
      addresses: ['core-a:7070', 'core-b:7070'],
      openLink: (address) => {
        tries.push({ address, atMs: clock.now() })
        return deadLink()
      },
      hello: () => create(HelloSchema, {}),
      onUp: () => undefined,
      onFrame: () => undefined,
      onDown: () => undefined,
      onTerm: () => undefined,
      onMiss: () => undefined,
      clock,
      rng: seededRng(1),
      signal: stopping.signal,
    })
    await clock.advance(60_000)
    stopping.abort()
    await kept

    const gapsMs = tries.slice(1).map(({ atMs }, index) => atMs - tries[index]!.atMs)
    expect(Math.max(...gapsMs)).toBeLessThanOrEqual(300)
    // It does not hammer the cores either.
    expect(gapsMs.slice(5).every((ms) => ms >= 200)).toBe(true)
    expect(tries.every(({ address }, index) => address === `core-${'ab'[index % 2]}:7070`)).toBe(
      true,
    )
  })
})
