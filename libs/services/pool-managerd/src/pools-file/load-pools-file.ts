import { statSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { checkBudgets, type BudgetClaim } from '@berth/devices'
import { BerthError } from '@berth/kernel'
import { listProblems, readYamlFile } from '@berth/runtime'
import type { EngineDriver, EngineName } from '@berth/supervision'
import type { Devices } from '../device/devices.ts'
import { checkDevices, claimOf, withMask } from './check-devices.ts'
import { checkPool } from './check-pool.ts'
import { fileSchema, type PoolDocument } from './pool-schema.ts'
import type { PoolSpec, PoolsFile } from './pool-spec.ts'
import { readEntry } from './read-entry.ts'
import { toPoolSpec } from './to-pool-spec.ts'
import { withVllmModel, type VllmModel } from './with-vllm-model.ts'

export interface LoadPoolsOptions {
  readonly path: string
  readonly drivers: Readonly<Partial<Record<EngineName, EngineDriver>>>
  /** The devices this host has. */
  readonly devices: KnownDevices
  /** The model of the one vllm pool, whatever the file says. */
  readonly vllmModel?: VllmModel
}

/** What a mask is checked against. */
export type KnownDevices = Pick<Devices, 'resolve'>

/** 256 pools with every key need a tenth of it; more is not a pools file. */
const FILE_MAX_BYTES = 1_048_576

/**
 * The pools file, read and checked against this host. Throws one `CONFIG_INVALID` that lists
 * everything that is wrong, each with its path (`pools[1].devices[0]: ...`).
 */
export const loadPoolsFile = (options: LoadPoolsOptions): PoolsFile => {
  const { path } = options
  refuseHuge(path)
  const content = readYamlFile(path)
  const file = fileSchema.safeParse(content ?? {})
  const problems = file.success ? [] : listProblems(file.error)
  const root = resolve(dirname(path), (file.success ? file.data.model_root : undefined) ?? '.')
  const { entries, problem } = withVllmModel(entriesOf(content), options.vllmModel)
  if (problem !== undefined) problems.push(problem)
  const pools: PoolSpec[] = []
  const claims: BudgetClaim[] = []
  for (const [index, entry] of entries.entries()) {
    const where = `pools[${index}]`
    const read = readEntry(entry, where)
    problems.push(...read.problems)
    if (!read.document) continue
    const held = holdAgainstHost(read.document, { ...options, where, root })
    const { wrongKeys } = read
    problems.push(...held.problems.filter((problem) => !isAbout(problem, where, wrongKeys)))
    pools.push(held.spec)
    claims.push(held.claim)
  }
  problems.push(...checkUnique(entries), ...checkBudgets(claims))
  if (problems.length > 0 || !file.success) throw invalid(path, problems)
  return { hostId: file.data.host, pools }
}

const refuseHuge = (path: string) => {
  const bytes = statSync(path, { throwIfNoEntry: false })?.size ?? 0
  if (bytes > FILE_MAX_BYTES)
    throw invalid(path, [`it has ${bytes} bytes: a pools file has at most ${FILE_MAX_BYTES}`])
}

/** The pools even of a file whose top is wrong, so that nothing has to be fixed twice. */
const entriesOf = (content: unknown): readonly unknown[] => {
  const pools = (content as { readonly pools?: unknown } | null)?.pools
  return Array.isArray(pools) ? pools.slice(0, POOLS_MAX) : []
}

/** As the schema has it: those beyond are told of once, not one by one. */
const POOLS_MAX = 256

const holdAgainstHost = (
  document: PoolDocument,
  { where, root, devices, drivers }: LoadPoolsOptions & { where: string; root: string },
) => {
  const written = toPoolSpec(document, root)
  const mask = devices.resolve(written.devices)
  const spec = withMask(written, mask)
  return {
    spec,
    claim: { ...{ where, poolId: spec.poolId }, ...claimOf(spec, mask) },
    problems: [...checkPool(spec, where, drivers), ...checkDevices(spec, where, { mask, drivers })],
  }
}

/** A key that was set aside has its problem already. */
const isAbout = (problem: string, where: string, keys: ReadonlySet<string>): boolean =>
  keys.has(/^\w+/.exec(problem.slice(where.length + 1))?.[0] ?? '')

/** As the file has the ids, whatever else is wrong with their pools. */
const checkUnique = (entries: readonly unknown[]): string[] => {
  const seen = new Map<unknown, number>()
  return entries.flatMap((entry, index) => {
    const id = (entry as { readonly id?: unknown } | null)?.id
    if (typeof id !== 'string') return []
    const first = seen.get(id)
    if (first === undefined) seen.set(id, index)
    return first === undefined
      ? []
      : [`pools[${index}].id: ${id.slice(0, 80)} names another pool already: pools[${first}]`]
  })
}

const invalid = (path: string, problems: readonly string[]) =>
  new BerthError(
    'CONFIG_INVALID',
    `The pools file ${path} has ${problems.length === 1 ? 'a problem' : `${problems.length} problems`}:\n` +
      problems.map((problem) => `  ${problem}`).join('\n'),
    { facts: { problems: problems.length } },
  )
