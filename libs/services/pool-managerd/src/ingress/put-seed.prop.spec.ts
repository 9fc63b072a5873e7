import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import { createSeedInsertion, lengthened, readSeedEdit } from './put-seed.ts'

const edit = readSeedEdit({ 'berth-seed': '42' }, 'seed')!

const edited = (chunks: readonly Buffer[]) =>
  buffer(Readable.from(chunks).pipe(createSeedInsertion(edit)))

const cut = (bytes: Buffer, places: readonly number[]): Buffer[] => {
  const at = [...places].map((place) => place % (bytes.length + 1)).sort((a, b) => a - b)
  return [...at, bytes.length].map((end, index) => bytes.subarray(at[index - 1] ?? 0, end))
}

const space = fc.stringMatching(/^[ \t\r\n]{0,4}$/)
const places = fc.array(fc.nat(), { maxLength: 6 })
const object = fc.dictionary(
  fc.string().filter((key) => key !== 'seed' && key !== '__proto__'),
  fc.jsonValue(),
)

describe('the seed of a strict job', () => {
  it('[004-11a] goes into the body, of which all other bytes stay as they are', async () => {
    await fc.assert(
      fc.asyncProperty(object, space, space, places, async (value, before, behind, cuts) => {
        const text = `${before}{${behind}${JSON.stringify(value).slice(1)}`
        const bytes = await edited(cut(Buffer.from(text), cuts))
        const put = Object.keys(value).length === 0 ? '"seed":42 ' : '"seed":42,'
        const at = before.length + 1 + behind.length
        const whole = bytes.toString()
        expect(whole.slice(at, at + put.length)).toBe(put)
        expect(whole.slice(0, at) + whole.slice(at + put.length)).toBe(text)
        expect(JSON.parse(whole)).toEqual({ ...JSON.parse(text), seed: 42 })
      }),
    )
  })

  it('makes every body longer by what content-length promises', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 40 }), places, async (body, cuts) => {
        const bytes = await edited(cut(Buffer.from(body), cuts))
        const promised = lengthened({ 'content-length': body.length }, edit)['content-length']
        expect(bytes.length).toBe(promised)
      }),
    )
  })

  it.each(['', '-1', '1.5', '1,"x":2', '9'.repeat(20)])('is not read from "%s"', (seed) => {
    expect(readSeedEdit({ 'berth-seed': seed }, 'seed')).toBeUndefined()
  })

  it('is left out for an engine that takes none', () => {
    expect(readSeedEdit({ 'berth-seed': '42' }, undefined)).toBeUndefined()
  })
})
