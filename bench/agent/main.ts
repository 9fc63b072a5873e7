import { writeFileSync } from 'node:fs'
import { Console } from 'node:console'
import { cpus, loadavg } from 'node:os'
import { parseArgs } from 'node:util'
import { measureFaults } from './faults.ts'
import { measureGpuPoll } from './gpu-poll.ts'
import { measureIdle } from './idle.ts'
import { measureChunks, measureIngress } from './ingress.ts'
import { measureSnapshot } from './snapshot.ts'

// What an agent costs and how its engines come back: each part with an agent of its own.
const PARTS = ['idle', 'gpu-poll', 'ingress', 'chunks', 'snapshot', 'faults'] as const
const { values } = parseArgs({
  options: {
    json: { type: 'string' },
    only: { type: 'string', default: PARTS.join() },
    seconds: { type: 'string', default: '10' },
    'idle-seconds': { type: 'string', default: '60' },
    rates: { type: 'string', default: '100,500,1000' },
    faults: { type: 'string', default: '200' },
  },
})
const wanted = new Set(values.only.split(','))
const unknown = [...wanted].filter((part) => !PARTS.some((each) => each === part))
if (unknown.length > 0) throw new Error(`No such part: ${unknown.join()}. Known: ${PARTS.join()}`)

const MEASURES = {
  idle: () => measureIdle(Number(values['idle-seconds'])),
  'gpu-poll': () => measureGpuPoll(Number(values['idle-seconds'])),
  ingress: () => measureIngress(values.rates.split(',').map(Number), Number(values.seconds)),
  chunks: () => measureChunks(20),
  snapshot: () => measureSnapshot(30),
  faults: () => measureFaults(Number(values.faults)),
}
const { table, log } = new Console(process.stdout)
const report: Record<string, unknown> = {
  bench: 'agent',
  machine: `${cpus().length} x ${cpus()[0]?.model}`,
  // Others' work on the same cores is in every number: this says how much there was.
  load_average_before: Math.round((loadavg()[0] ?? 0) * 100) / 100,
}
for (const part of PARTS.filter((each) => wanted.has(each))) {
  const measured = await MEASURES[part]()
  report[part] = measured
  log(part)
  table(measured)
}
report['load_average_after'] = Math.round((loadavg()[0] ?? 0) * 100) / 100
if (values.json) writeFileSync(values.json, `${JSON.stringify(report, null, 2)}\n`)
