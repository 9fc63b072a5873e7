import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it } from '@jest/globals'
import { nextEpoch } from './next-epoch.ts'

it('an epoch is above the last one even when the clock went back', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'berth-epoch-'))
  expect(await nextEpoch(dir, 1_000.7)).toBe(1_000)
  expect(await nextEpoch(dir, 900)).toBe(1_001)
  expect(await nextEpoch(dir, 5_000)).toBe(5_000)
  await rm(dir, { recursive: true })
})
