import { writeFileSync } from 'node:fs'
import { cpus, loadavg } from 'node:os'
import { parseArgs } from 'node:util'
import {
  ESTIMATE_GRID,
  loggedTotal,
  MEASURED_GRID,
  runEstimate,
  termOf,
  type EstimateRun,
} from '@berth/test-conformance/estimates'
import { findLlamaServer } from '@berth/test-support'
import { markdownTable } from '../markdown-table.ts'

// How far estimates of memory are from what llama-server logs, over models that are holes.
const { values } = parseArgs({ options: { json: { type: 'string' } } })
const program = findLlamaServer()
if (program === undefined) throw new Error('No llama-server: node tools/llama-server/main.ts')

const MIB = 1_048_576
const mib = (bytes: number) => Math.round((bytes / MIB) * 100) / 100
const percent = (estimate: number, found: number) =>
  Math.round((estimate / found - 1) * 10_000) / 100

const rowOf = (run: EstimateRun) => {
  const kv = run.logged['kv'] ?? 0
  return {
    case: run.name,
    weights_MiB: mib(run.logged['weights'] ?? 0),
    kv_MiB: mib(kv),
    kv_off_MiB: Math.abs(mib(termOf(run.estimate, 'kv_cache') - kv)),
    compute_MiB: mib(run.logged['compute'] ?? 0),
    compute_off_percent: percent(termOf(run.estimate, 'compute'), run.logged['compute'] ?? NaN),
    total_off_percent: percent(run.estimate.requiredBytes, loggedTotal(run)),
  }
}

const rows: ReturnType<typeof rowOf>[] = []
for (const each of ESTIMATE_GRID) rows.push(rowOf(await runEstimate(program, each)))

/** What the process holds, and how far a second estimate is from it. */
const measuredRows = []
for (const each of MEASURED_GRID) {
  const first = await runEstimate(program, each)
  const second = await runEstimate(program, each)
  const ratio = first.residentBytes / first.estimate.requiredBytes
  measuredRows.push({
    case: each.name,
    estimate_MiB: mib(first.estimate.requiredBytes),
    process_MiB: mib(first.residentBytes),
    off_percent: percent(first.estimate.requiredBytes, first.residentBytes),
    second_off_percent: percent(second.estimate.requiredBytes * ratio, second.residentBytes),
  })
}

process.stdout.write(`${markdownTable(rows)}\n${markdownTable(measuredRows)}\n`)
if (values.json) {
  const report = {
    ...{ bench: 'estimates', machine: `${cpus().length} x ${cpus()[0]?.model}` },
    ...{ load_average: loadavg()[0], logged: rows, measured: measuredRows },
  }
  writeFileSync(values.json, `${JSON.stringify(report, null, 2)}\n`)
}
