import { createSimClock } from '@berth/kernel/testing'
import { expect, it } from '@jest/globals'
import type { FetchProgress } from '../model-store.ts'
import { createProgressMeter } from './progress-meter.ts'

it('reports sums over files, at most twice a second, and the end whatever was before', async () => {
  const clock = createSimClock()
  const seen: FetchProgress[] = []
  const meter = createProgressMeter(
    clock,
    () => 4_000,
    (progress) => seen.push(progress),
  )
  for (let tick = 1; tick <= 20; tick++) {
    meter.set('a', tick * 100, 'downloading a')
    meter.set('b', tick * 100, 'downloading b')
    await clock.advance(100)
  }
  // Two seconds: at 0, 500, 1000, 1500 and 2000 ms.
  expect(seen.map(({ bytesDone }) => bytesDone)).toEqual([100, 1_000, 2_000, 3_000, 4_000])
  meter.flush('ready')
  expect(seen.at(-1)).toEqual({ bytesDone: 4_000, bytesTotal: 4_000, step: 'ready' })
})

it('takes back what a file that began anew had', () => {
  const clock = createSimClock()
  const seen: FetchProgress[] = []
  const meter = createProgressMeter(
    clock,
    () => undefined,
    (progress) => seen.push(progress),
  )
  meter.set('a', 500, 'downloading a')
  meter.set('a', 0, 'downloading a')
  meter.flush('ready')
  expect(seen.at(-1)).toEqual({ bytesDone: 0, step: 'ready' })
})

it('tells what came last though nothing more comes, unless it was stopped', async () => {
  const clock = createSimClock()
  const seen: number[] = []
  const meter = createProgressMeter(
    clock,
    () => undefined,
    ({ bytesDone }) => seen.push(bytesDone),
  )
  meter.set('a', 1, 'downloading a')
  meter.set('a', 2, 'downloading a')
  await clock.advance(500)
  expect(seen).toEqual([1, 2])
  meter.set('a', 3, 'downloading a')
  meter.stop()
  await clock.advance(500)
  expect(seen).toEqual([1, 2])
  expect(clock.pending()).toBe(0)
})
