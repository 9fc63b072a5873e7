/** One part of `./berth test`. */
export interface Suite {
  readonly name: string
  readonly title: string
  /** `check`: passes or fails as one. `jest`: counted test by test. */
  readonly kind: 'check' | 'jest'
  readonly argv: readonly string[]
}

const check = (name: string, title: string, ...argv: string[]): Suite => ({
  name,
  title,
  kind: 'check',
  argv,
})

const jest = (name: string, title: string, ...args: string[]): Suite => ({
  name,
  title,
  kind: 'jest',
  argv: ['jest', '--selectProjects', name, '--ci', ...args],
})

/**
 * Everything that has to pass, cheapest first. Suites that start real processes run one file at a
 * time: they are bound to two cores, and wait with deadlines.
 */
export const SUITES: readonly Suite[] = [
  check('format', 'Formatting', 'prettier', '--check', '--log-level', 'warn', '.'),
  check('types', 'Types', 'tsc', '-p', '.'),
  check('lint', 'Lint, through nx', 'nx', 'run', 'berth:lint'),
  jest('unit', 'Unit and property tests', '--maxWorkers=2'),
  jest('tidy', 'House rules', '--maxWorkers=2'),
  jest('simulation', 'Simulation', '--maxWorkers=2'),
  jest('integration', 'Integration: real NATS, gRPC and processes', '--runInBand'),
  jest('chaos', 'Chaos: kill and freeze what runs', '--runInBand'),
  jest('containers', 'Containers, where a Docker engine answers', '--runInBand'),
  jest('conformance', 'Conformance: the official SDKs as clients', '--runInBand'),
]

export const SUITE_NAMES: readonly string[] = SUITES.map(({ name }) => name)
