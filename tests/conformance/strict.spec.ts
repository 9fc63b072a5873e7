import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { randomInt, seededRng } from '@berth/kernel'
import {
  embeddedPool,
  findLlamaServer,
  llamacppPool,
  simPool,
  startFleet,
  type Fleet,
  type PoolEntry,
} from '@berth/test-support'
import { streamStrictly } from './src/strict-stream.ts'

const STRICT_POOL = { id: 'strict', slots: 1, determinism: 'strict' }
const SEEDS = Array.from({ length: 64 }, (_, n) => n * 7_919 + 1)
const llamaServer = findLlamaServer()

/** In another order, which is the same in every run. */
const shuffled = (seeds: readonly number[]): readonly number[] => {
  const rng = seededRng(12)
  const left = [...seeds]
  return seeds.map(() => left.splice(randomInt(rng, left.length), 1)[0]!)
}

/** What each seed answers: hexadecimal bytes. A few at a time, so that some wait for the slot. */
const answersOf = async (fleet: Fleet, seeds: readonly number[]) => {
  const answers = new Map<number, string>()
  const left = [...seeds]
  const client = async () => {
    for (let seed = left.shift(); seed !== undefined; seed = left.shift()) {
      const { status, pool, content } = await streamStrictly(fleet, { model: 'berth-tiny', seed })
      expect({ status, pool }).toEqual({ status: 200, pool: 'strict' })
      answers.set(seed, Buffer.from(content).toString('hex'))
    }
  }
  await Promise.all([client(), client(), client()])
  return answers
}

const describeEngine = (name: string, poolOf: () => PoolEntry) =>
  describe(`strict streams of ${name}, through gateway, core and ingress`, () => {
    let fleet: Fleet
    beforeAll(async () => {
      // The second pool shares its batches: nothing strict may go there.
      const pools = [poolOf(), embeddedPool('batching')]
      fleet = await startFleet({ hosts: [{ hostId: 'h1', pools }] })
    }, 120_000)
    afterAll(async () => fleet[Symbol.asyncDispose]())

    it('[004-12a] repeat the bytes of each of 64 seeds, asked again in another order', async () => {
      const first = await answersOf(fleet, SEEDS)
      const again = await answersOf(fleet, shuffled(SEEDS))
      expect(SEEDS.map((seed) => again.get(seed))).toEqual(SEEDS.map((seed) => first.get(seed)))
      expect(first.get(SEEDS[0]!)).not.toBe('')
      expect(new Set(first.values()).size).toBe(SEEDS.length)
    }, 60_000)

    it('[004-11a] tell the seed that was minted, which gives the same bytes again', async () => {
      const [first, second] = [
        await streamStrictly(fleet, { model: 'berth-tiny' }),
        await streamStrictly(fleet, { model: 'berth-tiny' }),
      ]
      expect(first.mintedSeed).toMatch(/^\d+$/)
      expect(second.content).not.toEqual(first.content)
      for (const minted of [first, second]) {
        const seed = Number(minted.mintedSeed)
        const again = await streamStrictly(fleet, { model: 'berth-tiny', seed })
        expect(again.content).toEqual(minted.content)
      }
    }, 30_000)
  })

describeEngine('the embedded engine', () => embeddedPool(STRICT_POOL.id, STRICT_POOL))

if (llamaServer === undefined) {
  describe.skip(`strict streams of llama-server (skipped: there is none)`, () => {
    it('repeat the bytes of each of 64 seeds', () => undefined)
  })
} else {
  const settings = { slots: 1, more: { determinism: 'strict' } }
  describeEngine('llama-server', () => llamacppPool(llamaServer, STRICT_POOL.id, settings))
}

describe('a strict job where no pool is strict', () => {
  let fleet: Fleet
  beforeAll(async () => {
    fleet = await startFleet({ hosts: [{ hostId: 'h1', pools: [await simPool('sim')] }] })
  }, 60_000)
  afterAll(async () => fleet[Symbol.asyncDispose]())

  it('[004-11a] is refused with the reason, and no pool gets it', async () => {
    const body = { model: 'sim-model', max_tokens: 4 }
    const refused = await fleet.chat(body, { headers: { 'x-determinism': 'strict' } })
    const { error } = (await refused.json()) as { error: Record<string, unknown> }
    expect(refused.status).toBe(400)
    expect(error).toMatchObject({
      code: 'INVALID_PARAMS',
      message: expect.stringContaining('DETERMINISM_UNSATISFIED'),
    })
    expect((await fleet.chat(body)).status).toBe(200)
    expect((await fleet.sim('sim').state()).requests).toHaveLength(1)
  })
})
