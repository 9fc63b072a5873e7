import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { simPool, startFleet, until, type Fleet } from '@berth/test-support'

const SLOW = { model: 'slow', max_tokens: 4_000 }
/** Within this the slot of a client that left is free again. */
const FREE_WITHIN_MS = 1_000

let fleet: Fleet
beforeAll(async () => {
  const pools = [await simPool('slow', { model: 'slow', slots: 1, knobs: { tokens_per_s: 20 } })]
  fleet = await startFleet({ hosts: [{ hostId: 'h1', pools }] })
}, 60_000)
afterAll(async () => fleet[Symbol.asyncDispose]())

const counters = async () => (await fleet.sim('slow').state()).counters
const slotsFree = async () => (await fleet.get<{ slots_free: number }>('/v1/pools/slow')).slots_free
const engineRuns = (count: number) =>
  until(`the engine runs ${count}`, async () => (await counters())['running'] === count)

const expectFreeSoon = async (abortedBefore: number) => {
  await until(
    'the engine has stopped',
    async () => (await counters())['running'] === 0,
    FREE_WITHIN_MS,
  )
  expect((await counters())['aborted']).toBe(abortedBefore + 1)
  // The slot itself: another request starts in it at once.
  const next = await fleet.chat(
    { model: 'slow', max_tokens: 1 },
    {
      headers: { 'X-Max-Wait-Ms': '1000' },
    },
  )
  expect(next.status).toBe(200)
  await next.text()
  await until('the slot shows as free', async () => (await slotsFree()) === 1)
}

describe('a client that leaves', () => {
  it('before the first token frees its slot and stops the engine', async () => {
    await fleet.sim('slow').turn({ first_token_ms: 20_000 })
    const before = (await counters())['aborted'] ?? 0
    const leaving = new AbortController()
    const pending = fleet.chat({ ...SLOW, stream: true }, { signal: leaving.signal })
    await engineRuns(1)
    leaving.abort()
    await expect(pending).rejects.toThrow()
    await fleet.sim('slow').turn({ first_token_ms: 0 })
    await expectFreeSoon(before)
  })

  it('in the middle of a stream frees its slot and stops the engine', async () => {
    const before = (await counters())['aborted'] ?? 0
    const leaving = new AbortController()
    const answer = await fleet.chat({ ...SLOW, stream: true }, { signal: leaving.signal })
    const reader = answer.body!.getReader()
    await reader.read()
    leaving.abort()
    await expect(reader.read()).rejects.toThrow()
    await expectFreeSoon(before)
  })

  it('without streaming frees its slot and stops the engine', async () => {
    const before = (await counters())['aborted'] ?? 0
    const leaving = new AbortController()
    const pending = fleet.chat(SLOW, { signal: leaving.signal })
    await engineRuns(1)
    leaving.abort()
    await expect(pending).rejects.toThrow()
    await expectFreeSoon(before)
  })

  it('while queued leaves the queue and never reaches an engine', async () => {
    const holding = new AbortController()
    const holder = await fleet.chat({ ...SLOW, stream: true }, { signal: holding.signal })
    const before = await counters()
    const leaving = new AbortController()
    const queued = fleet.chat({ ...SLOW, stream: true }, { signal: leaving.signal })
    // A stream that waits is opened by its first comment.
    const answer = await queued
    const reader = answer.body!.pipeThrough(new TextDecoderStream()).getReader()
    expect((await reader.read()).value).toMatch(/^: queued position=1 /)
    leaving.abort()
    await expect(reader.read()).rejects.toThrow()
    holding.abort()
    await expect(holder.text()).rejects.toThrow()

    await expectFreeSoon(before['aborted'] ?? 0)
    // Only the request that showed the slot to be free came after it.
    expect((await counters())['requests']).toBe((before['requests'] ?? 0) + 1)
  })
})
