import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals'
import { startNatsServer, type NatsServer } from '@berth/bus/testing'
import { OperationStatus, PoolState, type Operation } from '@berth/contract'
import { chat, startTestAgent, type AgentUnderTest } from './testing/agent-under-test.ts'
import { eventually } from './testing/eventually.ts'
import { simPool } from './testing/pools-folder.ts'

const CHAT = '/v1/chat/completions'
// Real processes on a machine that may be busy.
jest.setTimeout(60_000)

let nats: NatsServer
let test: AgentUnderTest

beforeAll(async () => {
  nats = await startNatsServer({ jetstream: true })
  test = await startTestAgent(nats.url, [
    simPool('quick', { slots: 4 }, { tokens_per_s: 2_000 }),
    simPool('slow', { slots: 2 }, { tokens_per_s: 20 }),
    simPool('loading', {}, { never_ready: true }),
  ])
  for (const pool of ['quick', 'slow']) await test.reaches(pool, PoolState.READY)
})
afterAll(async () => {
  await test[Symbol.asyncDispose]()
  await nats[Symbol.asyncDispose]()
})

const ended = async ({ operationId }: Operation) => {
  for await (const { operation } of test.client.watchOperation({ operationId }))
    if (operation!.completedAtMs !== undefined) return operation!
  throw new Error('The stream ended before the operation')
}
const ask = (pool: string, body: object) =>
  test.post(CHAT, body, {
    'berth-lease': test.token(pool),
    'content-type': 'application/json',
  })

describe('a bench', () => {
  it('[002-16a] [002-16b] measures by load and prompt length, and the pool keeps what it learns', async () => {
    const { operation } = await test.client.bench({ poolId: 'quick', seconds: 1 })
    const done = await ended(operation!)
    expect(done).toMatchObject({ status: OperationStatus.COMPLETED, progressPercent: 100 })
    expect(done.measurements.map(({ concurrency }) => concurrency)).toEqual([1, 2, 4, 1, 2, 4])
    for (const { runs, failed, firstTokenP50Ms, tokensPerS } of done.measurements) {
      expect(runs).toBeGreaterThan(0)
      expect(failed).toBe(0)
      expect(firstTokenP50Ms).toBeGreaterThan(0)
      expect(tokensPerS).toBeGreaterThan(0)
    }
    const pool = await test.status('quick')
    expect(pool.slotsFree).toBe(4)
    const bands = pool.performance!.cells.map((cell) => [cell.promptBand, cell.occupancyBand])
    expect(bands).toHaveLength(6)
    expect(pool.performance!.prefillTokensPerS).toBeGreaterThan(0)
  })

  it('takes slots as requests do, and has none where they are taken', async () => {
    const response = await ask('slow', chat({ stream: true, max_tokens: 4_000 }))
    await eventually('it runs', async () => (await test.status('slow')).slotsFree === 1)
    const { operation } = await test.client.bench({ poolId: 'slow', seconds: 60 })
    await eventually('it takes one', async () => (await test.status('slow')).slotsFree === 0)
    const refused = await ask('slow', chat())
    expect(refused.headers['berth-refusal']).toBe('no_slot')
    refused.resume()
    await expect(test.client.restart({ poolId: 'slow' })).rejects.toMatchObject({
      reason: 'OPERATION_IN_PROGRESS',
    })
    await test.client.stop({ poolId: 'slow', deadlineMs: 1 })
    expect(await ended(operation!)).toMatchObject({ status: OperationStatus.CANCELLED })
    response.destroy()
    await eventually('all is given back', async () => {
      const { slotsFree, state } = await test.status('slow')
      return slotsFree === 2 && state === PoolState.STOPPED
    })
  })

  it('is refused of a pool that is not ready, and of one that is not there', async () => {
    await expect(test.client.bench({ poolId: 'loading' })).rejects.toMatchObject({
      reason: 'POOL_UNREADY',
    })
    await expect(test.client.bench({ poolId: 'nowhere' })).rejects.toMatchObject({
      reason: 'POOL_NOT_FOUND',
    })
    await expect(test.client.bench({ poolId: 'quick', seconds: 61 })).rejects.toMatchObject({
      reason: 'INVALID_PARAMS',
    })
  })
})
