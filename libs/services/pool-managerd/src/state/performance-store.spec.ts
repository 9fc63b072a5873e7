import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from '@jest/globals'
import { createSilentLogger, systemClock } from '@berth/runtime'
import { createPerformanceBook, type Measured } from '../pool/performance-book.ts'
import { openPerformanceStore } from './performance-store.ts'

const OF: Measured = {
  engine: 'vllm',
  engineVersion: '0.11',
  modelRef: 'hf:a/b',
  devices: ['GPU-1'],
}
const SAMPLE = { firstTokenMs: 100, tokensPerS: 50, promptTokens: 300, occupancy: 1 }
let dir: string

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'berth-figures-'))
})
afterEach(() => rm(dir, { recursive: true, force: true }))

const open = () => openPerformanceStore(dir, { clock: systemClock(), log: createSilentLogger() })

it('[002-16c] figures are there again for the same version, model and devices, and for no other', async () => {
  {
    await using store = await open()
    const book = createPerformanceBook(store)
    book.identify(OF)
    book.fold(SAMPLE)
  }
  await using store = await open()
  const book = createPerformanceBook(store)
  book.identify(OF)
  expect(book.current).toMatchObject({ tokensPerS: 50, firstTokenMs: 100, samples: 1 })
  for (const other of [{ engineVersion: '0.12' }, { modelRef: 'hf:a/c' }, { devices: ['GPU-2'] }]) {
    book.identify({ ...OF, ...other })
    expect(book.current).toBeUndefined()
  }
})

it('[002-16c] a new engine version starts afresh, and the figures of the old one make room', async () => {
  await using store = await open()
  const book = createPerformanceBook(store)
  book.identify(OF)
  book.fold(SAMPLE)
  book.identify({ ...OF, engineVersion: '0.12' })
  book.fold({ ...SAMPLE, tokensPerS: 90 })
  expect(book.current).toMatchObject({ tokensPerS: 90, samples: 1 })
  expect(store.find(OF)).toBeUndefined()
})

it('[002-16c2] no more figures are kept than a host has room for', async () => {
  await using store = await open()
  const performance = { ...{ tokensPerS: 1, firstTokenMs: 1, prefillTokensPerS: 1, samples: 1 } }
  for (let n = 0; n < 300; n += 1)
    store.keep({ ...OF, modelRef: `hf:${n}` }, { ...performance, cells: [] })
  const kept = Array.from({ length: 300 }, (_, n) => store.find({ ...OF, modelRef: `hf:${n}` }))
  expect(kept.filter((found) => found !== undefined)).toHaveLength(256)
  expect(kept[299]).toBeDefined()
})

it('a file that cannot be read counts as empty', async () => {
  await writeFile(join(dir, 'performance.json'), '{"not":')
  await using store = await open()
  expect(store.find(OF)).toBeUndefined()
})
