import { writeFileSync } from 'node:fs'
import { cpus, loadavg } from 'node:os'
import { parseArgs } from 'node:util'
import { markdownTable } from '../markdown-table.ts'
import { BENCHED_ENGINES } from './benched-engines.ts'
import { measureHealth } from './health.ts'
import { measureOnDemand } from './on-demand.ts'
import { measureStart } from './start.ts'

// What Berth adds to the start of an engine, and how long engines take to say that they are well.
const { values } = parseArgs({
  options: {
    json: { type: 'string' },
    rounds: { type: 'string', default: '10' },
    probes: { type: 'string', default: '300' },
  },
})

const starts = []
const onDemand = []
const health = []
for (const engine of BENCHED_ENGINES) {
  starts.push(await measureStart(engine, Number(values.rounds)))
  onDemand.push(await measureOnDemand(engine, Number(values.rounds)))
  health.push(...(await measureHealth(engine, Number(values.probes))))
}
process.stdout.write(
  [markdownTable(starts), markdownTable(onDemand), markdownTable(health)].join('\n'),
)
if (values.json) {
  const report = {
    ...{ bench: 'engines', machine: `${cpus().length} x ${cpus()[0]?.model}` },
    ...{ load_average: loadavg()[0], starts, on_demand: onDemand, health },
  }
  writeFileSync(values.json, `${JSON.stringify(report, null, 2)}\n`)
}
