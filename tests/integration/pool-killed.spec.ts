import { kill } from 'node:process'
import { describe, expect, it } from '@jest/globals'
import { simPool, startFleet, until } from '@berth/test-support'

const REQUESTS = 60

describe('two pools of one model', () => {
  it('[003-FR-051] keep every request succeeding when the engine of one is killed', async () => {
    const knobs = { tokens_per_s: 200 }
    const pools = [await simPool('one', { knobs }), await simPool('two', { knobs })]
    await using fleet = await startFleet({ hosts: [{ hostId: 'h1', pools }] })
    const engine = await fleet.sim('one').state()

    let started = 0
    const statuses: number[] = []
    const work = async () => {
      while (started < REQUESTS) {
        started += 1
        // In the middle of the load: each pool has requests in flight.
        if (started === REQUESTS / 3) kill(engine.pid, 'SIGKILL')
        const answer = await fleet.chat({ model: 'sim-model', max_tokens: 10 })
        await answer.text()
        statuses.push(answer.status)
      }
    }
    await Promise.all(Array.from({ length: 6 }, work))

    expect(statuses).toEqual(Array.from({ length: REQUESTS }, () => 200))
    await fleet.poolIsReady('one')
    const next = await fleet.sim('one').state()
    expect(next.pid).not.toBe(engine.pid)
  }, 90_000)

  it('keep every request succeeding when the whole host of one is gone', async () => {
    const hosts = [
      { hostId: 'h1', pools: [await simPool('one')] },
      { hostId: 'h2', pools: [await simPool('two')] },
    ]
    await using fleet = await startFleet({ hosts })
    await fleet.agent('h1').end('SIGKILL')

    const answers = await Promise.all(
      Array.from({ length: 20 }, () => fleet.chat({ model: 'sim-model', max_tokens: 4 })),
    )

    expect(answers.map(({ status }) => status)).toEqual(Array.from({ length: 20 }, () => 200))
    expect(new Set(answers.map(({ headers }) => headers.get('x-berth-pool')))).toEqual(
      new Set(['two']),
    )
    await until('the gateway counted a retry', async () => {
      const metrics = await (await fetch(`${fleet.url}/metrics`)).text()
      return metrics.includes('berth_gateway_retries_total{reason="unreachable"')
    })
  }, 90_000)
})
