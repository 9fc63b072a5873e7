/** One part of `./berth test`. */
export interface Suite {
  readonly name: string
  readonly title: string
  /** `check`: passes or fails as one. `jest`: counted test by test. */
  readonly kind: 'check' | 'jest'
  readonly argv: readonly string[]
  /** When it is ended and counted as failed: far above what it takes on two quiet cores. */
  readonly timeLimitMs: number
  /** How long jest may take to end once it has told its results. */
  readonly lingerMs: number
  /** Left out unless asked for: by `--full`, or by its name. */
  readonly isOnlyInFull: boolean
}

const MINUTE_MS = 60_000

const check = (
  name: string,
  title: string,
  minutes: number,
  ...argv: readonly [string, ...string[]]
): Suite => ({
  name,
  title,
  kind: 'check',
  argv,
  timeLimitMs: minutes * MINUTE_MS,
  lingerMs: 15_000,
  isOnlyInFull: false,
})

const jest = (name: string, title: string, minutes: number, workers: string): Suite => ({
  ...check(name, title, minutes, 'jest', '--selectProjects', name, '--ci', workers),
  kind: 'jest',
})

const SEEDS = ['tests/simulation/sim.ts', '--seeds', '1000', '--first-seed', '100000']

/**
 * Everything that has to pass, cheapest first. Suites that start real processes run one file at a
 * time: they are bound to two cores, and wait with deadlines.
 */
export const SUITES: readonly Suite[] = [
  check('format', 'Formatting', 6, 'prettier', '--check', '--log-level', 'warn', '.'),
  check('types', 'Types', 10, 'tsc', '-p', '.'),
  check('lint', 'Lint, through nx', 15, 'nx', 'run', 'berth:lint'),
  jest('unit', 'Unit and property tests', 25, '--maxWorkers=2'),
  jest('tidy', 'House rules', 10, '--maxWorkers=2'),
  jest('simulation', 'Simulation', 12, '--maxWorkers=2'),
  jest('integration', 'Integration: real NATS, gRPC and processes', 25, '--runInBand'),
  jest('conformance', 'Conformance: the official SDKs as clients, every engine', 20, '--runInBand'),
  jest('chaos', 'Chaos: kill and freeze what runs', 30, '--runInBand'),
  jest('containers', 'Containers, where a Docker engine answers', 20, '--runInBand'),
  { ...check('seeds', 'Simulation: 1,000 more seeds', 90, 'node', ...SEEDS), isOnlyInFull: true },
]

export const SUITE_NAMES: readonly string[] = SUITES.map(({ name }) => name)
