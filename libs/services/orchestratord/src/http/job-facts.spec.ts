import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals'
import { JobClass, KvHint, type RejectedSchema } from '@berth/contract'
import type { MessageInitShape } from '@bufbuild/protobuf'
import { CHAT, chat, startGateway } from '../testing/gateway-rig.ts'
import { startScriptedCore, type Granted, type ScriptedCore } from '../testing/scripted-core.ts'
import { answerJson, openStream, startScriptedIngress } from '../testing/scripted-ingress.ts'

let core: ScriptedCore
let ingress: Awaited<ReturnType<typeof startScriptedIngress>>
let gateway: Awaited<ReturnType<typeof startGateway>>
let granted: Granted
let rejected: MessageInitShape<typeof RejectedSchema> | undefined
/** Set by a test whose job waits: grants it the lease. */
let isWaiting: boolean
let assignWaiting = () => {}

beforeAll(async () => {
  ingress = await startScriptedIngress((call) => {
    if (!call.body.includes('"stream":true')) return answerJson(call)
    openStream(call)
    call.res.end('data: [DONE]\n\n')
  })
  core = await startScriptedCore({
    onAcquire: (acquire, session) => {
      const { jobId } = acquire
      const assign = () => void session.assign(acquire, ingress.address, 'pool-a', granted)
      if (rejected) session.send({ case: 'rejected', value: { ...rejected, jobId } })
      else if (isWaiting) {
        session.send({ case: 'queued', value: { jobId, position: 2, predictedStartMs: 50 } })
        assignWaiting = assign
      } else assign()
    },
  })
  gateway = await startGateway([core.address])
})
afterAll(async () => {
  await gateway[Symbol.asyncDispose]()
  await core[Symbol.asyncDispose]()
  await ingress[Symbol.asyncDispose]()
})
beforeEach(() => {
  granted = {}
  rejected = undefined
  isWaiting = false
})

const ask = (headers: Record<string, string> = {}, facts: Record<string, unknown> = {}) =>
  gateway.post(CHAT, chat(facts), { headers })
const jobOf = async (...request: Parameters<typeof ask>) => {
  expect((await ask(...request)).status).toBe(200)
  return core.acquires().at(-1)!.job!
}

describe('what core is told of a request', () => {
  it('[004-09a][004-18a] is everything its headers say', async () => {
    const job = await jobOf({
      'X-Priority': 'batch',
      'X-Deadline-Ms': '60000',
      'X-Session-Id': 's-1',
      'X-KV-Hint': 'cold',
      'X-Determinism': 'strict',
      'X-Sampler-Profile-Version': 'v2/top-p',
      'X-Expected-Tokens': '40',
      'X-Required-Ctx': '4096',
      'X-Budget-Tokens': '5000',
      'X-Budget-Time-Ms': '90000',
      'X-Budget-Cost': '0.25',
    })
    expect(job).toMatchObject({
      class: JobClass.BATCH,
      deadlineMs: 60_000,
      sessionId: 's-1',
      kvHint: KvHint.COLD,
      isStrict: true,
      samplerProfileVersion: 'v2/top-p',
      expectedTokens: 40,
      requiredCtx: 4_096,
      budget: { tokens: 5_000n, timeMs: 90_000n, costMicros: 250_000n },
      tenant: 'default',
      keyId: '',
    })
  })

  it('is no demand where nothing was asked for', async () => {
    const job = await jobOf({ 'X-Determinism': 'best_effort' }, { max_tokens: 50, seed: 3 })
    expect(job).toMatchObject({ isStrict: false, requiredCtx: 0, expectedTokens: 0, maxTokens: 50 })
    expect([job.budget, job.seed, job.estKvBytes]).toEqual([undefined, undefined, undefined])
  })

  it.each([
    ['one', {}, 1],
    ['as many as n says', { n: 3 }, 3],
    ['as many as are tried to find the best', { n: 2, best_of: 5 }, 5],
    ['no less than one for a number that is none', { n: -4, best_of: '9' }, 1],
    ['a bounded number', { n: 1e9 }, 4_096],
  ])('[004-09a] is how many answers it asks for: %s', async (_, facts, answers) => {
    expect(await jobOf({}, facts)).toMatchObject({ answers })
  })

  it.each([
    [['a', 'b', 'c'], 6],
    [[[1, 2], [3]], 4],
    [[1, 2, 3], 2],
    ['abc', 2],
  ])('[004-09a] is how many answers it asks for to the prompts %j', async (prompt, answers) => {
    const body = { model: 'llama-3-8b', prompt, n: 2 }
    expect((await gateway.post('/v1/completions', body)).status).toBe(200)
    expect(core.acquires().at(-1)!.job).toMatchObject({ answers })
  })

  it('limits only the kinds of budget that were named', async () => {
    const { budget } = await jobOf({ 'X-Budget-Cost': '3' })
    expect(budget).toMatchObject({ costMicros: 3_000_000n })
    expect([budget?.tokens, budget?.timeMs]).toEqual([undefined, undefined])
  })

  it('is the size of the prompt and the hashes of its beginning, and none of its text', async () => {
    const content = 'Under the sea. '.repeat(400)
    const job = await jobOf({}, { messages: [{ role: 'user', content }], user: 'x'.repeat(9_000) })
    expect(job.promptTokens).toBe(Math.ceil(('user'.length + content.length) / 4))
    expect(job.prefixChain).toHaveLength(2 * 8)
    expect(Buffer.from(JSON.stringify(job, (_, v) => String(v))).includes('Under')).toBe(false)
  })
})

describe('a strict job', () => {
  const strict = { 'X-Determinism': 'strict' }

  it('[004-11a] without a seed gets the one that core drew, and says which', async () => {
    granted = { seed: 2n ** 62n }
    const answer = await ask(strict)
    expect(answer.headers.get('x-berth-seed')).toBe(String(2n ** 62n))
    expect(ingress.calls.at(-1)!.headers['berth-seed']).toBe(String(2n ** 62n))
    expect(ingress.calls.at(-1)!.body).toBe(JSON.stringify(chat()))
  })

  it('[004-11a] keeps the seed its client gave, which is in the body already', async () => {
    granted = { seed: 7n }
    const answer = await ask(strict, { seed: 7 })
    expect(core.acquires().at(-1)!.job!.seed).toBe(7n)
    expect(answer.headers.get('x-berth-seed')).toBe('7')
    expect(ingress.calls.at(-1)!.headers['berth-seed']).toBeUndefined()
  })

  it('with a seed that is none is a 400 that names the field', async () => {
    const answer = await ask(strict, { seed: -1 })
    expect(answer.status).toBe(400)
    expect(await answer.json()).toMatchObject({ error: { param: 'seed', code: 'INVALID_PARAMS' } })
  })
})

describe('what is left of budgets', () => {
  const remaining = { tokens: 1_200n, timeMs: 0n, costMicros: 1_500_000n }
  const shown = {
    'x-budget-tokens-remaining': '1200',
    'x-budget-time-remaining-ms': '0',
    'x-budget-cost-remaining': '1.5',
  }

  it.each([false, true])('[004-09a] is told with the answer (stream: %s)', async (stream) => {
    granted = { remaining }
    const answer = await ask({}, { stream })
    expect(Object.fromEntries(answer.headers)).toMatchObject(shown)
    await answer.text()
  })

  it('is not told where there is none', async () => {
    const names = [...(await ask()).headers.keys()].filter((name) => name.startsWith('x-budget'))
    expect(names).toEqual([])
  })

  it('comes as a comment when the head of a stream is spent', async () => {
    granted = { remaining: { tokens: 9n }, seed: 5n }
    isWaiting = true
    const answer = await ask({}, { stream: true })
    // The head has come, and with it the first comment.
    assignWaiting()
    const [first, second] = (await answer.text()).split('\n\n')
    expect(first).toBe(': queued position=2 eta_ms=50')
    expect(second).toBe(
      ': x-berth-pool=pool-a x-berth-queue-ms=7 x-berth-retries=0 x-berth-seed=5 ' +
        'x-budget-tokens-remaining=9',
    )
  })

  it.each(['BUDGET_EXHAUSTED', 'RATE_LIMITED'])(
    '[004-09a] is told with a 429 %s, and when to come back',
    async (reason) => {
      const refusal = { reason, message: 'No.', retryAfterMs: 90_400, policyLabel: 'key:tokens' }
      rejected = { ...refusal, budgetOwner: 'key', remaining }
      const answer = await ask()
      expect(answer.status).toBe(429)
      expect(Object.fromEntries(answer.headers)).toMatchObject({
        ...shown,
        'retry-after': '91',
        'x-backoff-ms': '90400',
      })
      const { error } = (await answer.json()) as { readonly error: unknown }
      expect(error).toMatchObject({
        code: reason,
        policy_label: 'key:tokens',
        budget_owner: 'key',
        retry_after_ms: 90_400,
      })
    },
  )
})
