import { expect, it } from '@jest/globals'
import { systemClock } from './system-clock.ts'
import { systemRng } from './system-rng.ts'

it('fires timers in the order they are due, and none that was cancelled', async () => {
  const clock = systemClock()
  const fired: string[] = []
  await new Promise<void>((resolve) => {
    clock.after(20, () => {
      fired.push('late')
      resolve()
    })
    const cancel = clock.after(5, () => fired.push('cancelled'))
    clock.after(0, () => fired.push('soon'))
    cancel()
  })
  expect(fired).toEqual(['soon', 'late'])
})

it('waits for a delay that is longer than a timer of Node can be', async () => {
  const clock = systemClock()
  const fired: string[] = []
  const cancel = clock.after(2 ** 40, () => fired.push('a month early'))
  await new Promise<void>((resolve) => clock.after(20, resolve))
  cancel()
  expect(fired).toEqual([])
})

it('draws numbers in [0, 1) and bytes, not the same ones twice', () => {
  const rng = systemRng()
  const floats = Array.from({ length: 1000 }, () => rng.float())
  expect(floats.every((value) => value >= 0 && value < 1)).toBe(true)
  expect(new Set(floats).size).toBe(1000)
  expect(rng.bytes(32)).toHaveLength(32)
  expect(rng.bytes(32)).not.toEqual(rng.bytes(32))
  const ids = Array.from({ length: 1000 }, () => Buffer.from(rng.bytes(16)).toString('hex'))
  expect(new Set(ids).size).toBe(1000)
  const many = rng.bytes(10_000)
  expect(new Set(many).size).toBe(256)
  expect(many).toHaveLength(10_000)
})
