import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { simPool, startFleet, until, type Fleet } from '@berth/test-support'

let fleet: Fleet
beforeAll(async () => {
  const settings = { slots: 4, knobs: { tokens_per_s: 500 } }
  fleet = await startFleet({
    hosts: [
      { hostId: 'h1', pools: [await simPool('one', settings)] },
      { hostId: 'h2', pools: [await simPool('two', settings)] },
    ],
    cores: 2,
  })
}, 90_000)
afterAll(async () => {
  await fleet[Symbol.asyncDispose]()
}, 30_000)

interface SessionJson {
  readonly turns?: number
  readonly pool_id?: string
  readonly kv_warmth?: boolean
  readonly error?: { readonly code: string }
  readonly budget?: { readonly remaining: { readonly tokens: number | null } }
}

const turn = async (session: string, headers: Readonly<Record<string, string>> = {}) => {
  const more = { 'X-Session-Id': session, ...headers }
  const answer = await fleet.chat({ model: 'sim-model', max_tokens: 5 }, { headers: more })
  const body = (await answer.json()) as {
    readonly usage?: { readonly total_tokens: number }
    readonly error?: { readonly code: string; readonly policy_label?: string }
  }
  return { status: answer.status, pool: answer.headers.get('x-berth-pool'), body }
}
const look = (session: string) => fleet.get<SessionJson>(`/v1/sessions/${session}`)

/** The gateway has its answer before core has its release. */
const afterTurns = (session: string, turns: number) =>
  until(`${session} has ${turns} turns`, async () => {
    const found = await look(session)
    return found.turns === turns ? found : undefined
  })

describe('a session of a client', () => {
  it('[004-10a] is begun by its first request, warm after it, and ends when it is told to', async () => {
    expect(await look('chat')).toMatchObject({ error: { code: 'SESSION_NOT_FOUND' } })
    const { pool } = await turn('chat')
    expect(await afterTurns('chat', 1)).toMatchObject({ kv_warmth: true, pool_id: pool })
    expect(await turn('chat', { 'X-KV-Hint': 'reuse' })).toMatchObject({ status: 200, pool })
    for (let times = 0; times < 2; times++) {
      const ended = await fetch(`${fleet.url}/v1/sessions/chat`, { method: 'DELETE' })
      expect(ended.status).toBe(204)
    }
    expect(await look('chat')).toMatchObject({ error: { code: 'SESSION_NOT_FOUND' } })
  }, 30_000)

  it('takes eight turns, refuses a ninth with a typed error, and begins anew after it', async () => {
    for (let count = 1; count <= 8; count++) {
      expect((await turn('long')).status).toBe(200)
      await afterTurns('long', count)
    }
    expect(await turn('long')).toMatchObject({
      ...{
        status: 429,
        body: { error: { code: 'ADMISSION_REJECT', policy_label: 'session-turns' } },
      },
    })
    expect((await turn('long')).status).toBe(200)
    await afterTurns('long', 1)
  }, 30_000)

  it('[004-09a][004-10a] keeps turns, budget and warmth when the core that leads is killed', async () => {
    const first = await turn('kept', { 'X-Budget-Tokens': '1000' })
    const spent = first.body.usage?.total_tokens ?? 0
    expect(spent).toBeGreaterThan(0)
    const before = await afterTurns('kept', 1)
    expect(before.budget?.remaining.tokens).toBe(1_000 - spent)

    const roles = await Promise.all(fleet.cores.map(roleOf))
    await fleet.cores[roles.indexOf('leader')]!.end('SIGKILL')
    const after = await until('the next core knows the session', async () => {
      const found = await look('kept')
      return found.turns === undefined ? undefined : found
    })

    expect(after).toMatchObject({ turns: 1, kv_warmth: true, pool_id: first.pool })
    expect(after.budget?.remaining.tokens).toBe(1_000 - spent)
  }, 60_000)
})

const roleOf = async ({ ports }: Fleet['core']): Promise<string> => {
  const answer = await fetch(`http://127.0.0.1:${ports['httpPort']}/readyz`)
  return ((await answer.json()) as { readonly role: string }).role
}
