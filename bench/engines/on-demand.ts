import { startFleet, until } from '@berth/test-support'
import type { BenchedEngine } from './benched-engines.ts'
import { percentile } from './percentile.ts'

/**
 * Milliseconds from a request for a model nobody has to its answer of one token, and what of it is
 * not the engine's own: neither its load, from the spawn to its probes passing, nor the answer.
 */
export const measureOnDemand = async (engine: BenchedEngine, rounds: number) => {
  const answers: number[] = []
  const loads: number[] = []
  const overheads: number[] = []
  for (let round = 0; round < rounds; round++) {
    const { coldMs, loadMs, warmMs } = await firstRequest(engine)
    answers.push(coldMs)
    loads.push(loadMs)
    overheads.push(coldMs - loadMs - warmMs)
  }
  return {
    engine: engine.name,
    rounds,
    first_answer_ms: Math.round(percentile(answers, 50)),
    load_ms: Math.round(percentile(loads, 50)),
    overhead_ms: Math.round(percentile(overheads, 50)),
    overhead_max_ms: Math.round(Math.max(...overheads)),
  }
}

/** A fleet of its own for every round: a pool that was stopped by command is not started again. */
const firstRequest = async (engine: BenchedEngine) => {
  const { entry, ...rest } = await engine.pool()
  const pool = { ...rest, entry: { ...entry, load: 'on_demand' } }
  const hosts = [{ hostId: 'h1', pools: [pool] }]
  const noWarmUp = { agentFlags: { '--warm-up-tokens': 0 } }
  await using fleet = await startFleet({ hosts, isReadyNotAwaited: true, ...noWarmUp })
  const told = () => fleet.get<Told>('/v1/pools/pool')
  await until('the pool is known', async () => (await told()).state === 'stopped')
  const ask = async () => {
    const began = performance.now()
    const answer = await fleet.chat({ model: 'berth-tiny', max_tokens: 1 })
    await answer.text()
    if (!answer.ok) throw new Error(`${engine.name} answered ${answer.status}`)
    return performance.now() - began
  }
  const coldMs = await ask()
  const warmMs = await ask()
  const { transitions } = await told()
  const atOf = (state: string) => Date.parse(transitions.find(({ to }) => to === state)?.at ?? '')
  return { coldMs, warmMs, loadMs: atOf('ready') - atOf('starting') }
}

interface Told {
  readonly state: string
  readonly transitions: readonly { readonly to: string; readonly at: string }[]
}
