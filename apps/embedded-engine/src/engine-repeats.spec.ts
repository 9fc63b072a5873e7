import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { prepareModels, startEngine, type EngineProcess } from './testing/engine-process.ts'

// Wide enough that sums in another order give other words: with batches shared, this fails.
const WIDE = { layers: 4, dim: 256, heads: 8, kvHeads: 4, feedForward: 768 }

let models: Awaited<ReturnType<typeof prepareModels>>
let engine: EngineProcess

beforeAll(async () => {
  models = await prepareModels()
  const model = await models.make('wide.gguf', WIDE)
  engine = await startEngine(['--model', model, '--slots', '2', '--ctx', '4096'])
}, 360_000)

afterAll(async () => {
  await engine.stop()
  await models.dispose()
})

const ask = async (seed: number): Promise<string> => {
  const content = 'the ship went to sea again '.repeat(1 + (seed % 4) * 12)
  const messages = [{ role: 'user', content }]
  const sampling = { seed, temperature: 1.5, top_k: 0, top_p: 1, ignore_eos: true }
  const response = await engine.post('/v1/chat/completions', {
    messages,
    ...sampling,
    max_tokens: 60,
  })
  const body = (await response.json()) as { choices: { message: { content: string } }[] }
  return body.choices[0]!.message.content
}

describe('a seed', () => {
  it('gives the same bytes alone and beside a busy neighbour', async () => {
    const seeds = [1, 2, 3, 4, 5, 6, 7, 8]
    const alone: string[] = []
    for (const seed of seeds) alone.push(await ask(seed))
    const together = await Promise.all(seeds.map(ask))
    expect(together).toEqual(alone)
  }, 120_000)
})
