import { assert } from '@berth/kernel'
import { LABEL_BUDGETS, type LabelName, type SeriesSpec } from './series-registry.ts'

/** What a value becomes that is beyond the budget of its label. */
const OTHER = 'other'
/** An empty value would be a missing label to Prometheus. */
const UNKNOWN = 'unknown'

export type LabelValues = Readonly<Partial<Record<LabelName, string>>>

/** How many values a label may take in this series, `other` among them. */
export const budgetOf = (spec: SeriesSpec, label: LabelName): number =>
  spec.budgets?.[label] ?? LABEL_BUDGETS[label]

/**
 * Keeps the values of each label of one series within its budget: the first that come are kept,
 * later ones become `other`, empty ones `unknown`. The answer holds every label of the series and
 * no others; throws for one that is missing.
 */
export const createBound = (spec: SeriesSpec): ((values: LabelValues) => LabelValues) => {
  const seen = new Map(spec.labels.map((label) => [label, new Set<string>()]))
  return (values) => {
    const bounded: Partial<Record<LabelName, string>> = {}
    for (const [label, known] of seen) {
      const given = values[label]
      assert(given !== undefined, `label ${label} has a value`)
      const value = given || UNKNOWN
      const isKnown = known.has(value)
      // Where every value has its place nothing is folded, so the last one is free for any.
      const fits = known.size < budgetOf(spec, label) - 1 || FIXED.has(label)
      if (!isKnown && fits) known.add(value)
      bounded[label] = isKnown || fits ? value : OTHER
    }
    return bounded
  }
}

/** Labels with as many values as their budget has places. */
const FIXED: ReadonlySet<LabelName> = new Set(['pinned', 'fallback', 'direction'])
