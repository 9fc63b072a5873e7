import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { fillCells, type Plan, type Row } from './cells.ts'
import { printHead, printRow, printTuned, printVerdict } from './print.ts'
import { readTrace } from './trace.ts'
import { judgeRows } from './verdict.ts'

const OWN_TRACES = ['mooncake-conversation.jsonl', 'azure-llm-2023-conv.csv'].map((name) =>
  join(import.meta.dirname, 'data', name),
)
const FULL: Plan = {
  replicas: [8, 16, 64],
  mixes: ['h100', 'h100+a100'],
  loads: [0.5, 0.7, 0.85, 0.95],
  requestsPerReplica: 2_500,
}
const QUICK: Plan = { ...FULL, replicas: [8], loads: [0.7, 0.95], requestsPerReplica: 150 }

const { values } = parseArgs({
  options: {
    trace: { type: 'string', multiple: true },
    json: { type: 'string' },
    quick: { type: 'boolean' },
  },
})
const rows: Row[] = []
for (const path of values.trace ?? OWN_TRACES) {
  printHead()
  const tuned = fillCells(readTrace(path), values.quick ? QUICK : FULL, (row) => {
    rows.push(row)
    printRow(row)
  })
  printTuned(tuned)
}
printVerdict(judgeRows(rows))
if (values.json) writeFileSync(values.json, `${JSON.stringify({ bench: 'routing', rows })}\n`)
