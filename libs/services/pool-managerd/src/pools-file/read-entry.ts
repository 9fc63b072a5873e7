import { listProblems } from '@berth/runtime'
import type { z } from 'zod'
import { poolSchema, type PoolDocument } from './pool-schema.ts'

/** One entry of `pools`, as far as it can be read. */
export interface ReadEntry {
  /** What the schema has against it, each with its path. */
  readonly problems: readonly string[]
  /** The keys that are wrong: what stands in for them is no ground for further problems. */
  readonly wrongKeys: ReadonlySet<string>
  /** The entry without what is wrong. Absent: there is nothing to go on with. */
  readonly document: PoolDocument | undefined
}

/**
 * Reads one entry. What is wrong in it is set aside and the rest read all the same, so that it can
 * be held against this host and the other pools in the same round.
 */
export const readEntry = (entry: unknown, where: string): ReadEntry => {
  const first = poolSchema.safeParse(entry)
  if (first.success) return { problems: [], wrongKeys: new Set(), document: first.data }
  const problems = listProblems(first.error, where)
  const wrongKeys = new Set(first.error.issues.flatMap(keysOf))
  if (!isMapping(entry) || wrongKeys.has('engine'))
    return { problems, wrongKeys, document: undefined }
  const rest = Object.fromEntries(Object.entries(entry).filter(([key]) => !wrongKeys.has(key)))
  const again = poolSchema.safeParse(wrongKeys.has('id') ? { ...rest, id: NAMELESS } : rest)
  return { problems, wrongKeys, document: again.success ? again.data : undefined }
}

/** Stands in for an id that is none. */
const NAMELESS = 'pool'

const isMapping = (entry: unknown): entry is Readonly<Record<string, unknown>> =>
  typeof entry === 'object' && entry !== null && !Array.isArray(entry)

const keysOf = (issue: z.core.$ZodIssue): readonly string[] =>
  issue.code === 'unrecognized_keys' && issue.path.length === 0
    ? issue.keys
    : issue.path.slice(0, 1).map(String)
