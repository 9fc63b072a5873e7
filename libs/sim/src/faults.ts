import { randomInt, type Rng } from '@berth/kernel'
import type { Seat, Service } from './seat.ts'
import { BUS_NODE } from './sim-bus.ts'
import type { SimEngine } from './sim-engine.ts'
import { NO_ENGINE_FAULTS, type SimFleet } from './sim-fleet.ts'
import { CALM } from './sim-network.ts'

/** What may go wrong in a run. Each run draws which of it does, and how often. */
const KINDS = [
  'core_killed',
  'core_stopped',
  'agent_killed',
  'agent_stopped',
  'gateway_killed',
  'gateway_stopped',
  'engine_crashes',
  'engine_hangs',
  'engine_stalls',
  'partition',
  'bus_outage',
  'clock_step',
] as const

type FaultKind = (typeof KINDS)[number]

/** The swarm of one run: a few kinds at a time find what all of them together hide. */
export interface Swarm {
  readonly kinds: readonly FaultKind[]
  readonly meanGapMs: number
  readonly maxDelayMs: number
  readonly lossRate: number
  readonly duplicateRate: number
  readonly reorderRate: number
  readonly hangsInLoad: number
  readonly outOfMemory: number
  readonly lies: number
}

export const drawSwarm = (rng: Rng): Swarm => {
  const sometimes = (rate: number) => (rng.float() < 0.5 ? rng.float() * rate : 0)
  const share = 0.2 + 0.8 * rng.float()
  return {
    kinds: KINDS.filter(() => rng.float() < share),
    // From a storm to a fault now and then.
    meanGapMs: Math.round(300 * 30 ** rng.float()),
    maxDelayMs: Math.round(400 ** rng.float()),
    lossRate: sometimes(0.2),
    duplicateRate: sometimes(0.2),
    reorderRate: sometimes(0.2),
    hangsInLoad: sometimes(0.3),
    outOfMemory: sometimes(0.3),
    lies: sometimes(0.3),
  }
}

/** Makes a fleet suffer until `stop`, which repairs everything: nothing stays dead or cut. */
export interface Faults {
  stop(): void
}

export const startFaults = (fleet: SimFleet, swarm: Swarm, rng: Rng): Faults => {
  const { clock, network, trace } = fleet.world
  let isOver = false
  network.setFaults({ ...swarm, minDelayMs: 1 })
  fleet.engineFaults = swarm

  /** Undoes a fault a while later, or when all faults end. */
  const later = (undo: () => void) => {
    if (isOver) return undo()
    clock.after(200 + randomInt(rng, 15_000), () => {
      if (!isOver) undo()
    })
  }
  const strike = () => {
    if (isOver) return
    const kind = swarm.kinds[randomInt(rng, swarm.kinds.length)]
    if (kind) {
      trace.add('faults', kind)
      bringAbout(fleet, kind, { rng, later })
    }
    clock.after(-Math.log(1 - rng.float()) * swarm.meanGapMs, strike)
  }
  clock.after(swarm.meanGapMs, strike)
  return {
    stop: () => {
      isOver = true
      trace.add('faults', 'stop')
      network.setFaults(CALM)
      network.healAll()
      fleet.engineFaults = NO_ENGINE_FAULTS
      for (const seat of fleet.seats) {
        seat.node.wallOffsetMs = 0
        void seat.start()
      }
      for (const { machine } of fleet.hosts) for (const engine of machine.engines) engine.recover()
    },
  }
}

interface FaultContext {
  readonly rng: Rng
  later(undo: () => void): void
}

const bringAbout = (fleet: SimFleet, kind: FaultKind, { rng, later }: FaultContext): void => {
  const { network } = fleet.world
  const pick = <T>(all: readonly T[]): T => all[randomInt(rng, all.length)]!
  const host = pick(fleet.hosts)
  const engine = pick(host.machine.engines) as SimEngine | undefined
  const names = fleet.seats.map(({ node }) => node.name)
  const restart = (seat: Seat<Service>) => later(() => void seat.start())
  const kill = (seat: Seat<Service>) => {
    seat.kill()
    restart(seat)
  }
  const stop = (seat: Seat<Service>) => void seat.stop().then(() => restart(seat))
  switch (kind) {
    case 'core_killed':
      return kill(pick(fleet.cores))
    case 'core_stopped':
      return stop(pick(fleet.cores))
    case 'gateway_killed':
      return kill(pick(fleet.gateways))
    case 'gateway_stopped':
      return stop(pick(fleet.gateways))
    case 'agent_killed':
      return kill(host.seat)
    case 'agent_stopped':
      return stop(host.seat)
    case 'engine_crashes':
      return engine?.crash()
    case 'engine_hangs':
      return engine?.hang(1_000 + randomInt(rng, 30_000))
    case 'engine_stalls':
      return engine?.stall()
    case 'partition': {
      const [a, b] = [pick([...names, BUS_NODE]), pick(names)]
      network.partition(a, b)
      return later(() => network.heal(a, b))
    }
    case 'bus_outage':
      for (const name of names) network.partition(name, BUS_NODE)
      return later(() => names.forEach((name) => network.heal(name, BUS_NODE)))
    case 'clock_step':
      pick(fleet.seats).node.wallOffsetMs = randomInt(rng, 120_000) - 60_000
  }
}
