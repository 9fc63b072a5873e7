import { afterEach, beforeEach, expect, it, jest } from '@jest/globals'
import { poolSchema } from '../pools-file/pool-schema.ts'
import { toPoolSpec } from '../pools-file/to-pool-spec.ts'
import { makeFakeVllm, vllmPool, type FakeVllm } from '../testing/fake-vllm.ts'
import { checkEngine } from './check-pools.ts'

// Real processes on a machine that may be busy.
jest.setTimeout(60_000)

let python: FakeVllm
beforeEach(async () => {
  python = await makeFakeVllm('/usr/bin:/bin', ['python3'])
})
afterEach(async () => {
  await python[Symbol.asyncDispose]()
})

const check = (path: string) =>
  checkEngine(toPoolSpec(poolSchema.parse(vllmPool('a')), '/models'), {
    ...{ nodePath: process.execPath, enginesDir: '/nowhere', embeddedRuntimeDir: '/nowhere' },
    path,
  })

it('the check of a vllm pool finds the program that a start would find', async () => {
  expect(await check(python.env.PATH)).toMatchObject({ status: 'ok' })
})

it('the check of a vllm pool says which program is missing, or too old', async () => {
  const none = await check('/nowhere')
  expect(none).toMatchObject({ status: 'fail' })
  expect(none.message).toContain('There is no vllm to run at PATH (vllm, python3, python)')
  await python.set({ version: '0.3.3' })
  expect((await check(python.env.PATH)).message).toContain('Berth needs 0.4.0 or newer')
})
