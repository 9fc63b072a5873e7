import type { SeedResult } from './run-seed.ts'

/** Where a run stood, for whoever wants to see it again. */
export interface RunFacts {
  readonly commit: string
  readonly hosts: number
  readonly losesEvents?: boolean
}

const SHOWN_LINES = 60

/** What broke, the end of the trace, and the command that plays it again. */
export const describeFailure = (result: SeedResult, facts: RunFacts): string => {
  const { seed, swarm, violations, trace } = result
  const { commit, hosts, losesEvents = false } = facts
  const flags = losesEvents ? ' --lose-events' : ''
  return [
    ...trace.slice(-SHOWN_LINES),
    `swarm: ${JSON.stringify(swarm)}`,
    ...violations.map((what) => `broken: ${what}`),
    `SEED=${seed} COMMIT=${commit}`,
    `replay: npm run sim -- --seeds 1 --hosts ${hosts} --first-seed ${seed}${flags}`,
  ].join('\n')
}
