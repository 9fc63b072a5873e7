import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { addKey } from '@berth/keys'
import { simPool, startFleet, until, type Fleet } from '@berth/test-support'

const dir = mkdtempSync(join(tmpdir(), 'berth-key-budget-'))
const file = join(dir, 'keys.yaml')

const CLIENT = { tenant: 'team', scopes: ['inference'] } as const

let fleet: Fleet
beforeAll(async () => {
  addKey(file, 'ops-key', { id: 'ops', tenant: 'team', scopes: ['operator'] })
  addKey(file, 'small-key', { ...CLIENT, id: 'small', tokens_per_day: 200 })
  fleet = await startFleet({
    hosts: [{ hostId: 'h1', pools: [await simPool('sim', { knobs: { tokens_per_s: 500 } })] }],
    gatewayFlags: { '--keys-file': file },
    coreFlags: { '--keys-file': file },
    key: 'ops-key',
  })
}, 90_000)
afterAll(async () => {
  await fleet[Symbol.asyncDispose]()
  rmSync(dir, { recursive: true })
}, 30_000)

const chat = async (key: string, maxTokens: number) => {
  const headers = { authorization: `Bearer ${key}` }
  const answer = await fleet.chat({ model: 'sim-model', max_tokens: maxTokens }, { headers })
  return { status: answer.status, body: (await answer.json()) as { error?: { code?: string } } }
}

describe('a key with a budget, in the file that gateway and core read', () => {
  it('[004-09a] is refused what it cannot pay, and served what it can', async () => {
    expect(await chat('small-key', 100_000)).toMatchObject({
      status: 429,
      body: { error: { code: 'BUDGET_EXHAUSTED' } },
    })
    expect(await chat('small-key', 5)).toMatchObject({ status: 200 })
  }, 30_000)

  it('[004-09a] that is added while both run counts from then on', async () => {
    addKey(file, 'tiny-key', { ...CLIENT, id: 'tiny', tokens_per_day: 1 })
    await until('both know it', async () => (await chat('tiny-key', 5)).status === 429)
    expect(await chat('tiny-key', 5)).toMatchObject({
      body: { error: { code: 'BUDGET_EXHAUSTED' } },
    })
  }, 30_000)
})
