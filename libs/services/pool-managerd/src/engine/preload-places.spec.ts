import { expect, it } from '@jest/globals'
import { createPreloadPlaces } from './preload-places.ts'

const never = new AbortController().signal

it('lets so many in at once, and the others in the order of asking', async () => {
  const places = createPreloadPlaces(2)
  const inside: string[] = []
  const enter = async (name: string) => {
    const place = await places.take(never)
    inside.push(name)
    return place
  }
  const [a, b] = await Promise.all([enter('a'), enter('b')])
  const waiting = [enter('c'), enter('d')]
  expect(places.isFree).toBe(false)
  b.release()
  b.release()
  const c = await waiting[0]!
  expect(inside).toEqual(['a', 'b', 'c'])
  a.release()
  await waiting[1]
  c.release()
  expect(inside).toEqual(['a', 'b', 'c', 'd'])
  expect(places.isFree).toBe(true)
})

it('passes over who gave up while waiting', async () => {
  const places = createPreloadPlaces(1)
  const held = await places.take(never)
  const giveUp = new AbortController()
  const gaveUp = places.take(giveUp.signal)
  const next = places.take(never)
  giveUp.abort(new Error('gone'))
  await expect(gaveUp).rejects.toThrow('gone')
  held.release()
  ;(await next).release()
  expect(places.isFree).toBe(true)
  await expect(places.take(giveUp.signal)).rejects.toThrow('gone')
})
