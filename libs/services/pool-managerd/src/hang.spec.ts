import { sleep } from '@berth/kernel'
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals'
import { startNatsServer, type NatsServer } from '@berth/bus/testing'
import { PoolState } from '@berth/contract'
import { systemClock } from '@berth/runtime'
import { chat, read, startTestAgent, type AgentUnderTest } from './testing/agent-under-test.ts'
import { eventually } from './testing/eventually.ts'
import { isAlive } from './testing/is-alive.ts'
import { simPool } from './testing/pools-folder.ts'

// Real processes on a machine that may be busy.
jest.setTimeout(40_000)

const CHAT = '/v1/chat/completions'
const lifecycle = { stall_timeout_s: 1, shutdown_grace_s: 0.3, health_check_interval_s: 0.2 }

let nats: NatsServer
beforeAll(async () => {
  nats = await startNatsServer({ jetstream: true })
})
afterAll(async () => {
  await nats[Symbol.asyncDispose]()
})

const ask = (test: AgentUnderTest, body: object) =>
  test.post(CHAT, chat(body), {
    'berth-lease': test.token('a'),
    'content-type': 'application/json',
  })

describe('an engine that answers its probes and produces nothing', () => {
  it.each(['vllm', 'llamacpp'])(
    'is restarted, and its streams end with an error (%s) [002-10b]',
    async (dialect) => {
      const pool = simPool('a', { lifecycle }, { dialect, tokens_per_s: 50 })
      await using test = await startTestAgent(nats.url, [pool])
      const before = await test.reaches('a', PoolState.READY)
      const stream = await ask(test, { stream: true, max_tokens: 4_000 })
      await new Promise((resolve) => stream.once('data', resolve))
      await test.turn('a', { hang: true })
      await expect(read(stream)).rejects.toThrow()
      const after = await eventually('another instance is ready', async () => {
        const status = await test.status('a')
        return status.ready && status.instanceId !== before.instanceId && status
      })
      expect(after.restartCount).toBe(1)
      expect(after.transitions.map(({ reason }) => reason).join()).toContain('produced nothing for')
      expect(isAlive(before.pid)).toBe(false)
    },
  )

  it('is restarted too when no first token ever comes', async () => {
    const pool = simPool('a', { lifecycle }, { hang: true })
    await using test = await startTestAgent(nats.url, [pool])
    const before = await test.reaches('a', PoolState.READY)
    await expect(ask(test, { max_tokens: 5 })).rejects.toThrow()
    await eventually('another instance is ready', async () => {
      const status = await test.status('a')
      return status.ready && status.instanceId !== before.instanceId
    })
  })

  it('is left alone while nobody waits for it', async () => {
    await using test = await startTestAgent(nats.url, [simPool('a', { lifecycle }, { hang: true })])
    const { instanceId } = await test.reaches('a', PoolState.READY)
    await sleep(systemClock(), 2_000)
    expect(await test.status('a')).toMatchObject({ ready: true, instanceId, restartCount: 0 })
  })
})

it('an engine whose first tokens come later than the stall limit is left alone while its counters move', async () => {
  const pool = simPool('a', { lifecycle, slots: 8 }, { first_token_ms: 2_500, tokens_per_s: 0 })
  await using test = await startTestAgent(nats.url, [pool])
  const { instanceId } = await test.reaches('a', PoolState.READY)
  const answers = Array.from({ length: 8 }, async (_, index) => {
    await sleep(systemClock(), index * 300)
    const answer = await ask(test, { max_tokens: 2 })
    return `${answer.statusCode} ${(await read(answer)).length > 0}`
  })
  expect(new Set(await Promise.all(answers))).toEqual(new Set(['200 true']))
  expect(await test.status('a')).toMatchObject({ ready: true, instanceId, restartCount: 0 })
})

it('an engine whose reader has stopped reading is left alone', async () => {
  const pool = simPool('a', { lifecycle, context_length: 1_000_000 }, { tokens_per_s: 0 })
  await using test = await startTestAgent(nats.url, [pool])
  const { instanceId } = await test.reaches('a', PoolState.READY)
  const stream = await ask(test, { stream: true, max_tokens: 500_000 })
  expect(stream.statusCode).toBe(200)
  let sent = -1
  await eventually('the engine is held back', async () => {
    const before = sent
    sent = (await test.simState('a')).counters.tokens_sent
    await sleep(systemClock(), 300)
    return sent > 0 && sent === before
  })
  await sleep(systemClock(), 2_500)
  expect(await test.status('a')).toMatchObject({ ready: true, instanceId, restartCount: 0 })
  stream.destroy()
})
