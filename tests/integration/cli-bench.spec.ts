import { afterAll, beforeAll, expect, it, jest } from '@jest/globals'
import { simPool, startFleet, type Fleet } from '@berth/test-support'
import { createRunFolder, type RunFolder } from './src/berth-command.ts'

// Real processes on a machine that may be busy.
jest.setTimeout(60_000)

let fleet: Fleet
let folder: RunFolder
beforeAll(async () => {
  const knobs = { tokens_per_s: 2_000 }
  fleet = await startFleet({ hosts: [{ hostId: 'h1', pools: [await simPool('a', { knobs })] }] })
  folder = createRunFolder()
}, 90_000)
afterAll(async () => {
  await folder[Symbol.asyncDispose]()
  await fleet[Symbol.asyncDispose]()
})

const bench = (...args: readonly string[]) =>
  folder.berth(['bench', 'pool', ...args, '--url', fleet.url]).ended

it('[002-16a] berth bench pool prints what an engine does alone and under load', async () => {
  const { code, stdout } = await bench('a', '--seconds', '1')
  expect(code).toBe(0)
  expect(stdout).toMatch(/^PROMPT +AT ONCE +RUNS +FAILED +FIRST TOKEN P50 +P95 +TOKENS\/S EACH/m)
  expect(stdout).toMatch(/^\d+ +1 +\d+ +0 +[\d.]+ ms +[\d.]+ ms +[\d.]+ +[\d.]+$/m)
  expect(stdout).toMatch(/^\d+ +4 +\d+ +0 /m)
})

it('tells the same as JSON, and why it could not', async () => {
  const { code, stdout } = await bench('a', '--seconds', '1', '--json')
  expect(code).toBe(0)
  expect(JSON.parse(stdout)).toMatchObject({
    ...{ operation_type: 'bench', status: 'completed', backend_id: 'a' },
    measurements: expect.arrayContaining([expect.objectContaining({ concurrency: 4, failed: 0 })]),
  })
  expect((await bench('nowhere')).code).not.toBe(0)
})
