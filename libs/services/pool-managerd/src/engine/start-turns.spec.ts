import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import { createStartTurns, type StartTurn } from './start-turns.ts'

const never = new AbortController().signal
const settled = () => new Promise((resolve) => setImmediate(resolve))

/** Asks for turns and notes who got one, in order. */
const createAsk = () => {
  const turns = createStartTurns()
  const got: string[] = []
  const held = new Map<string, StartTurn>()
  const ask = (name: string, devices: readonly string[], signal: AbortSignal = never) => {
    turns.take(devices, signal).then(
      (turn) => {
        got.push(name)
        held.set(name, turn)
      },
      () => got.push(`${name} gave up`),
    )
  }
  return { turns, got, held, ask }
}

describe('starts on one device', () => {
  it('take turns in the order of asking', async () => {
    const { got, held, ask } = createAsk()
    ask('a', ['0'])
    ask('b', ['0'])
    ask('c', ['0'])
    await settled()
    expect(got).toEqual(['a'])
    held.get('a')!.release()
    await settled()
    held.get('b')!.release()
    await settled()
    expect(got).toEqual(['a', 'b', 'c'])
  })

  it('wait for nobody on another device', async () => {
    const { got, ask } = createAsk()
    ask('a', ['0'])
    ask('b', ['1'])
    await settled()
    expect(got).toEqual(['a', 'b'])
  })

  it('of several devices wait for all of them, and are not overtaken', async () => {
    const { got, held, ask } = createAsk()
    ask('a', ['0'])
    ask('both', ['0', '1'])
    ask('later', ['1'])
    await settled()
    expect(got).toEqual(['a'])
    held.get('a')!.release()
    await settled()
    expect(got).toEqual(['a', 'both'])
    held.get('both')!.release()
    await settled()
    expect(got).toEqual(['a', 'both', 'later'])
  })

  it('that are given up let the next one in', async () => {
    const { got, held, ask } = createAsk()
    const giveUp = new AbortController()
    ask('a', ['0'])
    ask('b', ['0'], giveUp.signal)
    ask('c', ['0'])
    await settled()
    giveUp.abort()
    await settled()
    held.get('a')!.release()
    await settled()
    expect(got).toEqual(['a', 'b gave up', 'c'])
  })

  it('wait for one that went on before the agent did', async () => {
    const { turns, got, ask } = createAsk()
    const adopted = turns.hold(['0'])
    ask('a', ['0'])
    await settled()
    expect(got).toEqual([])
    adopted.release()
    adopted.release()
    await settled()
    expect(got).toEqual(['a'])
  })
})

it('whatever is asked, given up and released, no device has two starts and nobody waits for ever', async () => {
  const act = fc.record({
    devices: fc.uniqueArray(fc.constantFrom('0', '1', '2'), { minLength: 1 }),
    givesUp: fc.boolean(),
    releaseAfter: fc.nat(4),
  })
  await fc.assert(
    fc.asyncProperty(fc.array(act, { maxLength: 30 }), async (acts) => {
      const turns = createStartTurns()
      const busy = new Map<string, number>()
      let most = 0
      let ended = 0
      const add = (devices: readonly string[], by: number) => {
        for (const id of devices) busy.set(id, (busy.get(id) ?? 0) + by)
        most = Math.max(most, ...busy.values())
      }
      const run = async ({ devices, givesUp, releaseAfter }: (typeof acts)[number]) => {
        const giveUp = new AbortController()
        const asked = turns.take(devices, giveUp.signal)
        if (givesUp) queueMicrotask(() => giveUp.abort())
        const turn = await asked.catch(() => undefined)
        if (turn) add(devices, 1)
        for (let tick = 0; tick < releaseAfter; tick++) await Promise.resolve()
        if (turn) add(devices, -1)
        turn?.release()
        ended += 1
      }
      await Promise.all(acts.map(run))
      expect(most).toBeLessThanOrEqual(1)
      expect(ended).toBe(acts.length)
    }),
  )
})
