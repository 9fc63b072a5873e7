import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals'
import { startNatsServer, type NatsServer } from '@berth/bus/testing'
import { OperationStatus, Residency } from '@berth/contract'
import { eventually } from './testing/eventually.ts'
import { makeFakeOllama, type FakeOllama } from './testing/fake-ollama.ts'
import { LONG, startOllama, type OllamaUnderTest } from './testing/ollama-under-test.ts'

// Real processes on a machine that may be busy.
jest.setTimeout(60_000)

let nats: NatsServer
beforeAll(async () => {
  nats = await startNatsServer({ jetstream: true })
})
afterAll(async () => {
  await nats[Symbol.asyncDispose]()
})

/** With `m1` and `m2` on disk, and `m1` in memory. */
const withM1 = async (ollama: FakeOllama): Promise<OllamaUnderTest> => {
  const at = await startOllama(nats.url, ollama, { model: 'm1' })
  await at.reaches('m1', Residency.RESIDENT)
  return at
}
const SLOW = { models: ['m1', 'm2'], tokens_per_s: 40 }

describe('an unload', () => {
  it('[000-T051][000-FR-007][000-T054] is over when /api/ps has the model no more; its files stay', async () => {
    await using ollama = await makeFakeOllama({ models: ['m1', 'm2'] })
    await using at = await withM1(ollama)
    const { last } = await at.unload('m1')
    expect(last).toMatchObject({ status: OperationStatus.COMPLETED, modelId: 'm1' })
    expect(await at.resident()).toEqual([])
    const tags = (await at.daemon('/api/tags')) as { models: { name: string }[] }
    expect(tags.models.map(({ name }) => name)).toContain('m1:latest')
    await at.reaches('m1', Residency.ON_DISK)
    // It is not wanted any more, and what is not in memory takes no request.
    expect((await at.ask('m1')).refusal).toBe('not_ready')
    expect(await at.resident()).toEqual([])
  })

  it('is refused while requests run, with their number, and nothing changes', async () => {
    await using ollama = await makeFakeOllama(SLOW)
    await using at = await withM1(ollama)
    await at.load('m2')
    const running = await at.ask('m1', LONG)
    await expect(at.unload('m1')).rejects.toMatchObject({
      reason: 'ACTIVE_REQUESTS',
      facts: { active_requests: 1 },
    })
    expect(running.status).toBe(200)
    expect((await at.model('m1'))?.residency).toBe(Residency.RESIDENT)
    // Those of another model are no reason.
    expect((await at.unload('m2')).last.status).toBe(OperationStatus.COMPLETED)
  })

  it('waits for the requests of the model, and lets no new one to it', async () => {
    await using ollama = await makeFakeOllama({ models: ['m1'], tokens_per_s: 40 })
    await using at = await withM1(ollama)
    const running = await at.ask('m1', { max_tokens: 40, stream: true, ignore_eos: true })
    const unloading = at.unload('m1', { deadlineMs: 20_000 })
    await at.reaches('m1', Residency.DRAINING)
    expect((await at.ask('m1')).refusal).toBe('draining')
    expect(await running.body).toContain('data: [DONE]')
    const { last, steps } = await unloading
    expect(last.status).toBe(OperationStatus.COMPLETED)
    expect(steps).toEqual(expect.arrayContaining(['drain', 'unload']))
    expect(await at.resident()).toEqual([])
  })

  it('that is outlived by requests is given up, and the model takes requests again', async () => {
    await using ollama = await makeFakeOllama(SLOW)
    await using at = await withM1(ollama)
    const running = await at.ask('m1', LONG)
    const { last } = await at.unload('m1', { deadlineMs: 200 })
    expect(last).toMatchObject({
      ...{ status: OperationStatus.FAILED, errorReason: 'ACTIVE_REQUESTS' },
    })
    expect(running.status).toBe(200)
    expect((await at.model('m1'))?.residency).toBe(Residency.RESIDENT)
    const again = await at.ask('m1')
    expect(again.status).toBe(200)
    await again.body
  })

  it('that is forced ends what runs in the model, and nothing else', async () => {
    await using ollama = await makeFakeOllama(SLOW)
    await using at = await withM1(ollama)
    await at.load('m2')
    const [ended, other] = await Promise.all([
      at.ask('m1', LONG),
      at.ask('m2', { max_tokens: 60, stream: true, ignore_eos: true }),
    ])
    const { last } = await at.unload('m1', { isForced: true })
    expect(last.status).toBe(OperationStatus.COMPLETED)
    await expect(ended.body).rejects.toThrow()
    expect(await other.body).toContain('data: [DONE]')
  })

  it('of a model the pool never had is refused', async () => {
    await using ollama = await makeFakeOllama({ models: ['m1'] })
    await using at = await withM1(ollama)
    await expect(at.unload('nowhere')).rejects.toMatchObject({ reason: 'MODEL_NOT_FOUND' })
  })
})

describe('a model that the daemon lets go of', () => {
  it('is loaded again when it is wanted', async () => {
    await using ollama = await makeFakeOllama({ models: ['m1'] })
    await using at = await withM1(ollama)
    // Somebody else unloads it.
    await at.daemon('/api/generate', { model: 'm1', keep_alive: 0 })
    expect(await at.resident()).toEqual([])
    await eventually('it is back', async () => (await at.resident()).length === 1)
    await at.reaches('m1', Residency.RESIDENT)
  })

  it('is renewed before that when somebody has shortened its time', async () => {
    await using ollama = await makeFakeOllama({ models: ['m1'] })
    await using at = await withM1(ollama)
    await at.daemon('/api/generate', { model: 'm1', keep_alive: 30 })
    await eventually('it stays', async () => {
      const { models } = (await at.daemon('/api/ps')) as { models: { expires_at: string }[] }
      return Date.parse(models[0]!.expires_at) > Date.UTC(2300, 0, 1)
    })
    expect((await at.reaches('m1', Residency.RESIDENT)).expiresAtMs).toBe(0n)
  })

  it('after its time is let go, when it was loaded for a time', async () => {
    await using ollama = await makeFakeOllama({ models: ['m1', 'm2'] })
    await using at = await withM1(ollama)
    const { last } = await at.load('m2', { ttlS: 1 })
    expect(last.status).toBe(OperationStatus.COMPLETED)
    expect((await at.reaches('m2', Residency.RESIDENT)).expiresAtMs).toBeGreaterThan(0n)
    await at.reaches('m2', Residency.ON_DISK)
    // Looks go on, and nothing loads it again.
    const { lastCheck } = await at.pool()
    await eventually('the pool was looked at since', async () => {
      const now = (await at.pool()).lastCheck
      return now!.atMs > lastCheck!.atMs + 500n
    })
    expect(await at.resident()).toEqual(['m1:latest'])
  })

  it('for another that was loaded stays away, and is told as what it is', async () => {
    // The daemon holds fewer than Berth was told.
    await using ollama = await makeFakeOllama({ models: ['m1', 'm2'], max_loaded_models: 1 })
    await using at = await withM1(ollama)
    expect((await at.load('m2')).last.status).toBe(OperationStatus.COMPLETED)
    await at.reaches('m1', Residency.FAILED)
    expect(await at.resident()).toEqual(['m2:latest'])
    await at.unload('m2')
    await at.reaches('m1', Residency.RESIDENT)
  })
})
