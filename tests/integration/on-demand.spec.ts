import { afterAll, beforeAll, expect, it, jest } from '@jest/globals'
import {
  embeddedPool,
  operatorOf,
  simPool,
  startFleet,
  type Fleet,
  type Operator,
} from '@berth/test-support'

// A real engine on a machine that may be busy.
jest.setTimeout(120_000)

let fleet: Fleet
let operator: Operator
beforeAll(async () => {
  const onDemand = { load: 'on_demand' }
  const simulated = await simPool('sim', { model: 'sim-model', knobs: { dialect: 'vllm' } })
  const rested = await simPool('rested', { model: 'rested-model' })
  const pools = [
    { ...simulated, entry: { ...simulated.entry, ...onDemand } },
    { ...rested, entry: { ...rested.entry, ...onDemand } },
    embeddedPool('real', onDemand),
  ]
  fleet = await startFleet({ hosts: [{ hostId: 'h1', pools }], isReadyNotAwaited: true })
  operator = operatorOf(fleet)
  for (const { entry } of pools)
    await operator.poolIs(entry.id, 'known', ({ state }) => state === 'stopped')
})
afterAll(async () => {
  await fleet[Symbol.asyncDispose]()
})

const ask = async (model: string, headers: Record<string, string> = {}) => {
  const answer = await fleet.chat({ model, max_tokens: 4 }, { headers })
  return { status: answer.status, text: await answer.text() }
}

it.each([
  ['sim', 'sim-model'],
  ['real', 'berth-tiny'],
])(
  '[003-FR-022][003-AC-007] a request for a model starts its pool (%s), and is answered',
  async (id, model) => {
    expect(await operator.pool(id)).toMatchObject({ state: 'stopped', pid: null, transitions: [] })
    const both = await Promise.all([ask(model), ask(model)])
    expect(both.map(({ status }) => status)).toEqual([200, 200])
    const { transitions, ready } = await operator.pool(id)
    expect(ready).toBe(true)
    expect(transitions.map(({ to }) => to)).toEqual(['preparing', 'starting', 'ready'])
  },
)

it('a pool that was stopped by command is started by command alone', async () => {
  await operator.ended(await operator.command('rested', 'start'))
  await operator.ended(await operator.command('rested', 'stop'))
  const { status, text } = await ask('rested-model', { 'x-max-wait-ms': '1500' })
  expect(status).toBeGreaterThanOrEqual(500)
  expect(text).toContain('rested-model')
  expect(await operator.pool('rested')).toMatchObject({ state: 'stopped' })
  await operator.ended(await operator.command('rested', 'start'))
  expect((await ask('rested-model')).status).toBe(200)
})
