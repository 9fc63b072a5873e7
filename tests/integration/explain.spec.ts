import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { simPool, startFleet, until, type Fleet } from '@berth/test-support'
import { root } from './src/berth-command.ts'

let fleet: Fleet

const post = async (job: Readonly<Record<string, unknown>>) => {
  const response = await fetch(`${fleet.url}/v1/placement/explain`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ job }),
  })
  return (await response.json()) as Record<string, unknown>
}

/** The command line as it is, against the fleet. */
const berth = async (...args: readonly string[]) => {
  const main = join(root, 'apps/cli/src/main.ts')
  const env = { ...process.env, NODE_OPTIONS: '' }
  const child = spawn(process.execPath, [main, 'explain', ...args, '--url', fleet.url], { env })
  let output = ''
  child.stdout.on('data', (text) => (output += String(text)))
  child.stderr.on('data', (text) => (output += String(text)))
  const code = await new Promise<number | null>((resolve) => child.on('close', resolve))
  return { code, lines: output.trimEnd().split('\n') }
}

beforeAll(async () => {
  const pools = [await simPool('a', { model: 'm' }), await simPool('b', { model: 'm' })]
  fleet = await startFleet({ hosts: [{ hostId: 'h1', pools }] })
  await until('both pools take jobs', async () => {
    const { candidates = [] } = (await post({ model_id: 'm' })) as { candidates?: object[] }
    return candidates.filter((pool) => (pool as { feasible: boolean }).feasible).length === 2
  })
}, 90_000)
afterAll(async () => fleet[Symbol.asyncDispose](), 30_000)

describe('placement through the gateway', () => {
  it('[004-37][004-14b] is explained without giving anything a slot', async () => {
    expect(await post({ model_id: 'm', placement: { pin_pool_id: 'b' } })).toMatchObject({
      ...{ decision: 'assigned', pool_id: 'b', pinned: true, advice: [] },
      candidates: [
        { pool_id: 'b', rank: 1, feasible: true, active_leases: 0 },
        { pool_id: 'a', rank: null, reason: 'PINNED_POOL_INFEASIBLE', active_leases: 0 },
      ],
    })
    expect(await post({ model_id: 'm', requirements: { min_vram_bytes: 1 } })).toMatchObject({
      ...{ decision: 'impossible', reason: 'MIN_VRAM_UNMET', pool_id: null },
      filters: [{ reason: 'MIN_VRAM_UNMET', pools: 2 }],
    })
  })

  it('[004-37][004-14b] is remembered by the correlation id of a request that was served', async () => {
    const headers = { 'X-Correlation-Id': 'explained-later' }
    const answer = await fleet.chat({ model: 'm', max_tokens: 2 }, { headers })
    expect(answer.status).toBe(200)
    await answer.text()
    const response = await fetch(`${fleet.url}/v1/placement/decisions/explained-later`)
    const decision = (await response.json()) as Record<string, unknown>
    expect(decision).toMatchObject({
      ...{ correlation_id: 'explained-later', model_id: 'm', decision: 'assigned' },
      ...{ pool_id: answer.headers.get('X-Berth-Pool'), candidates: 2, feasible: 2, attempts: 1 },
    })
    const byJob = await fetch(`${fleet.url}/v1/placement/decisions/${String(decision['job_id'])}`)
    expect(await byJob.json()).toEqual(decision)
  })

  it('[004-14b] is shown by `berth explain`, with what would help', async () => {
    const { code, lines } = await berth('m', '--ctx', '999999')
    expect(code).toBe(1)
    expect(lines[0]).toBe('impossible: INSUFFICIENT_CTX')
    expect(lines.filter((line) => /^ +[ab] .*the job needs 999999$/.test(line))).toHaveLength(2)
    expect(lines.at(-1)).toMatch(/^→ Ask for at most \d+ tokens of context \(pool [ab]\)/)
    const decided = await berth('--job', 'explained-later')
    expect(decided.code).toBe(0)
    expect(decided.lines[0]).toMatch(/^m: assigned to [ab], over in \d+ ms/)
  }, 30_000)

  it('says so when nothing is remembered', async () => {
    const response = await fetch(`${fleet.url}/v1/placement/decisions/nobody`)
    expect(response.status).toBe(404)
  })
})
