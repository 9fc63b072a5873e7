import { writeFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { markdownTable } from '../markdown-table.ts'
import { quantile } from '../gateway/quantile.ts'
import { arrivalsOf } from './arrivals.ts'
import { serve, SLOTS, type Outcome, type Way } from './serve.ts'

// Two tenants, of which one sends ten times what the other does, at a pool that serves eight
// requests a second: what becomes of the modest one.
const GREED = 10
/** Requests a second of the modest tenant: less and more than the half that is its own. */
const RATES = [3, 6]

const { values } = parseArgs({
  options: { json: { type: 'string' }, seconds: { type: 'string', default: '600' } },
})
const FAIR: Way = { hasTenants: true }
const PLAIN: Way = { hasTenants: false }
const WEIGHTED: Way = { hasTenants: true, tenantWeights: { modest: 2, greedy: 1 } }
const rows = []
for (const modest of RATES) {
  const both = arrivalsOf({ modest, greedy: modest * GREED }, Number(values.seconds))
  const alone = both.filter(({ who }) => who === 'modest')
  rows.push(
    row('alone', modest, await serve(alone, FAIR)),
    row('plain queue', modest, await serve(both, PLAIN)),
    row('fair', modest, await serve(both, FAIR)),
    row('fair, weights 2 : 1', modest, await serve(both, WEIGHTED)),
  )
}

process.stdout.write(markdownTable(rows))
const report = { bench: 'fairness', slots: SLOTS, greed: GREED, rows }
if (values.json) writeFileSync(values.json, `${JSON.stringify(report, null, 2)}\n`)

function row(way: string, rate: number, { modest, greedy }: Outcome) {
  return {
    modest_per_s: rate,
    way,
    tokens_modest: modest.tokens,
    tokens_greedy: greedy.tokens,
    ratio: greedy.tokens === 0 ? null : round(modest.tokens / greedy.tokens, 3),
    modest_wait_p50_ms: round(quantile(modest.waitsMs, 0.5)),
    modest_wait_p99_ms: round(quantile(modest.waitsMs, 0.99)),
    modest_refused_percent: round((100 * modest.refused) / modest.asked, 1),
    greedy_refused_percent: greedy.asked === 0 ? null : percentRefused(greedy),
  }
}

function percentRefused({ refused, asked }: Outcome['greedy']) {
  return round((100 * refused) / asked, 1)
}

function round(value: number, digits = 0) {
  return Number(value.toFixed(digits))
}
