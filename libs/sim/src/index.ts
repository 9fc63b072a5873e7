export { describeFailure, type RunFacts } from './describe-result.ts'
export { runSeed, type SeedOptions, type SeedResult } from './run-seed.ts'
export type { FleetWatch, SimFleet } from './sim-fleet.ts'
export type { Swarm } from './faults.ts'
export {
  CALM,
  createSimNetwork,
  type ChannelEnds,
  type LinkFaults,
  type SimChannel,
  type SimNetwork,
} from './sim-network.ts'
