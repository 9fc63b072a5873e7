import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from '@jest/globals'
import { BUCKETS, connectBus, type Kv } from '@berth/bus'
import { addKey } from '@berth/keys'
import { createSilentLogger } from '@berth/runtime'
import { simPool, startFleet, until, type Fleet, type ServiceProcess } from '@berth/test-support'

const REQUESTS = 120
/** Ended by the time the leader dies: some are stored by then, some are not, many run or wait. */
const BEFORE_THE_END = 40

interface Answer {
  readonly status: number
  readonly remaining: string | null
  readonly tokens: number
}

const chat = async (fleet: Fleet, max_tokens: number): Promise<Answer> => {
  const headers = { authorization: 'Bearer load-key', 'X-Session-Id': `s${max_tokens}` }
  const answer = await fleet.chat({ model: 'sim-model', max_tokens }, { headers })
  const { usage } = (await answer.json()) as { usage?: { total_tokens: number } }
  const remaining = answer.headers.get('x-budget-tokens-remaining')
  return { status: answer.status, remaining, tokens: usage?.total_tokens ?? 0 }
}

const leaderOf = ({ cores }: Fleet): Promise<ServiceProcess> =>
  until('a core leads', async () => {
    for (const core of cores) {
      const answer = await fetch(`http://127.0.0.1:${core.ports['httpPort']}/readyz`)
      if (((await answer.json()) as { role: string }).role === 'leader') return core
    }
    return undefined
  })

const storedTokens = async (kv: Kv): Promise<number> => {
  const entry = await kv.get('key.load')
  if (!entry) return 0
  const account = JSON.parse(new TextDecoder().decode(entry.value)) as {
    readonly spent: { readonly tokens: number }
  }
  return account.spent.tokens
}

describe('the ledger, when the leading core is killed under a load with budgets', () => {
  it('[004-09a][OC-CORE-1023] comes to exactly what the clients saw, and fails none of them', async () => {
    const dir = mkdtempSync(join(tmpdir(), 'berth-budget-failover-'))
    const file = join(dir, 'keys.yaml')
    const budget = { tokens_per_day: 1_000_000 }
    addKey(file, 'load-key', { id: 'load', tenant: 'team', scopes: ['inference'], ...budget })
    addKey(file, 'ops-key', { id: 'ops', tenant: 'team', scopes: ['operator'] })
    await using fleet = await startFleet({
      hosts: [
        {
          hostId: 'h1',
          pools: [await simPool('sim', { slots: 8, knobs: { tokens_per_s: 400 } })],
        },
      ],
      ...{ cores: 2, gateways: 1, key: 'ops-key' },
      gatewayFlags: { '--keys-file': file },
      coreFlags: { '--keys-file': file },
    })
    await using bus = await connectBus({
      ...{ url: fleet.nats.url, name: 'spec', log: createSilentLogger() },
    })
    const kv = await bus.openKv(BUCKETS.budgets)
    const leader = await leaderOf(fleet)

    let ended = 0
    const answers = Array.from({ length: REQUESTS }, (_, index) =>
      chat(fleet, 20 + index).finally(() => (ended += 1)),
    )
    await until('some of the load is done', () => ended >= BEFORE_THE_END)
    await leader.end('SIGKILL')
    const seen = await Promise.all(answers)

    expect(seen.map(({ status }) => status)).toEqual(Array(REQUESTS).fill(200))
    expect(seen.every(({ remaining }) => Number(remaining) > 0)).toBe(true)
    const spent = seen.reduce((sum, { tokens }) => sum + tokens, 0)
    expect(spent).toBeGreaterThan(REQUESTS)
    await until('all of it is stored', async () => (await storedTokens(kv)) >= spent)
    expect(await storedTokens(kv)).toBe(spent)
    // Nothing is set aside any more: what the next request may not have is what was spent.
    const last = await chat(fleet, 500)
    const prompt = last.tokens - 500
    expect(Number(last.remaining)).toBeLessThanOrEqual(1_000_000 - spent - 500 - prompt)
    rmSync(dir, { recursive: true })
  }, 120_000)
})
