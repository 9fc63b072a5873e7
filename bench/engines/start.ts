import { startBareEngine } from '@berth/test-conformance/bare-engine'
import { operatorOf, startFleet, until } from '@berth/test-support'
import type { BenchedEngine } from './benched-engines.ts'
import { percentile } from './percentile.ts'

/** Milliseconds from the spawn to the first good answer of all probes, without and with an agent. */
export const measureStart = async (engine: BenchedEngine, rounds: number) => {
  const bare: number[] = []
  for (let round = 0; round < rounds; round++) {
    const began = performance.now()
    await using running = await startBareEngine(engine.spec)
    await running.untilReady()
    bare.push(performance.now() - began)
  }
  const agent = await startsOfAgent(engine, rounds)
  const [bareMs, agentMs] = [percentile(bare, 50), percentile(agent, 50)]
  return {
    engine: engine.name,
    rounds,
    bare_ms: Math.round(bareMs),
    under_berth_ms: Math.round(agentMs),
    overhead_ms: Math.round(agentMs - bareMs),
  }
}

/** By the times the agent gives its transitions: from the start that was asked for, to ready. */
const startsOfAgent = async (engine: BenchedEngine, rounds: number): Promise<number[]> => {
  await using fleet = await startFleet({ hosts: [{ hostId: 'h1', pools: [await engine.pool()] }] })
  const { command, ended } = operatorOf(fleet)
  const took: number[] = []
  for (let round = 0; round < rounds; round++) {
    await ended(await command('pool', 'stop'))
    await ended(await command('pool', 'start'))
    took.push(await until('the start is told', () => lastStart(fleet.get)))
  }
  return took
}

interface Told {
  readonly ready: boolean
  readonly transitions: readonly { readonly to: string; readonly at: string }[]
}

const lastStart = async (get: <T>(path: string) => Promise<T>): Promise<number | undefined> => {
  const { ready, transitions } = await get<Told>('/v1/pools/pool')
  const atOf = (state: string) => transitions.findLast(({ to }) => to === state)?.at ?? ''
  const tookMs = Date.parse(atOf('ready')) - Date.parse(atOf('preparing'))
  return ready && tookMs > 0 ? tookMs : undefined
}
