import { parseArgs } from 'node:util'
import { describeFailure, runSeed, type SeedResult } from '@berth/sim'
import { commit } from './src/commit.ts'

// npm run sim -- --seeds N --hosts H --first-seed S [--lose-events]

const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '50' },
    hosts: { type: 'string', default: '4' },
    'first-seed': { type: 'string', default: '1' },
    'lose-events': { type: 'boolean', default: false },
  },
})
const [seeds, hosts, first] = [values.seeds, values.hosts, values['first-seed']].map(Number)
if (!(seeds! > 0 && hosts! > 0 && Number.isInteger(first))) {
  throw new Error('--seeds and --hosts are numbers above 0, --first-seed is an integer')
}

const SAY_EVERY = 100

const say = (line: string) => process.stdout.write(`${line}\n`)
const losesEvents = values['lose-events']
const outcomes: Record<string, number> = {}
const failed: SeedResult[] = []
const startedAt = performance.now()
let virtualMs = 0
for (let seed = first!; seed < first! + seeds!; seed++) {
  const result = await runSeed({ seed, hosts: hosts!, losesEvents })
  virtualMs += result.virtualMs
  for (const [kind, count] of Object.entries(result.outcomes)) {
    outcomes[kind] = (outcomes[kind] ?? 0) + count
  }
  const done = seed - first! + 1
  if (done % SAY_EVERY === 0) say(`${done} of ${seeds} seeds, ${failed.length} broken`)
  if (seeds === 1) say(`digest ${result.digest}, ${result.traceLines} lines of trace`)
  if (result.violations.length === 0) continue
  failed.push(result)
  say(describeFailure(result, { commit: commit(), hosts: hosts!, losesEvents }))
}
const seconds = (performance.now() - startedAt) / 1_000
say(
  `${seeds} seeds of ${hosts} hosts in ${seconds.toFixed(1)} s: ` +
    `${(seeds! / seconds).toFixed(2)} seeds/s, ${Math.round(virtualMs / 1_000)} virtual seconds`,
)
say(`jobs: ${JSON.stringify(outcomes)}`)
say(failed.length === 0 ? 'clean' : `broken seeds: ${failed.map(({ seed }) => seed).join(' ')}`)
process.exitCode = failed.length === 0 ? 0 : 1
