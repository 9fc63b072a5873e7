import { statSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { checkBudgets, type BudgetClaim } from '@berth/devices'
import { BerthError, parseModelId } from '@berth/kernel'
import { listProblems, readYamlFile } from '@berth/runtime'
import type { EngineDriver, EngineName } from '@berth/supervision'
import type { Devices } from '../device/devices.ts'
import { checkDevices, claimOf, withMask } from './check-devices.ts'
import { fileSchema, poolSchema } from './pool-schema.ts'
import type { PoolSpec, PoolsFile } from './pool-spec.ts'
import { toPoolSpec } from './to-pool-spec.ts'

export interface LoadPoolsOptions {
  readonly path: string
  readonly drivers: Readonly<Partial<Record<EngineName, EngineDriver>>>
  /** The devices this host has. */
  readonly devices: KnownDevices
}

/** What a mask is checked against. */
export type KnownDevices = Pick<Devices, 'resolve'>

/**
 * The pools file, read and checked against this host. Throws one `CONFIG_INVALID` that lists
 * everything that is wrong, each with its path (`pools[1].devices[0]: ...`).
 */
export const loadPoolsFile = (options: LoadPoolsOptions): PoolsFile => {
  const content = readYamlFile(options.path)
  const file = fileSchema.safeParse(content ?? {})
  const problems = file.success ? [] : listProblems(file.error)
  const root = resolve(
    dirname(options.path),
    (file.success ? file.data.model_root : undefined) ?? '.',
  )
  const pools: PoolSpec[] = []
  const claims: BudgetClaim[] = []
  for (const [index, entry] of entriesOf(content).entries()) {
    const where = `pools[${index}]`
    const pool = poolSchema.safeParse(entry)
    if (!pool.success) {
      problems.push(...listProblems(pool.error, where))
      continue
    }
    const written = toPoolSpec(pool.data, root)
    const mask = options.devices.resolve(written.devices)
    const spec = withMask(written, mask)
    problems.push(
      ...checkPool(spec, where, options),
      ...checkDevices(spec, where, { mask, drivers: options.drivers }),
      ...checkUnique(spec, where, pools),
    )
    pools.push(spec)
    claims.push({ ...{ where, poolId: spec.poolId }, ...claimOf(spec, mask) })
  }
  problems.push(...checkBudgets(claims))
  if (problems.length > 0 || !file.success) throw invalid(options.path, problems)
  return { hostId: file.data.host, pools }
}

/** The pools even of a file whose top is wrong, so that nothing has to be fixed twice. */
const entriesOf = (content: unknown): readonly unknown[] => {
  const pools = (content as { readonly pools?: unknown } | null)?.pools
  return Array.isArray(pools) ? pools : []
}

const checkUnique = (spec: PoolSpec, where: string, before: readonly PoolSpec[]): string[] =>
  before.some(({ poolId }) => poolId === spec.poolId)
    ? [`${where}.id: ${spec.poolId} names another pool already`]
    : []

const checkPool = (spec: PoolSpec, where: string, options: LoadPoolsOptions): string[] => {
  const driver = options.drivers[spec.engine.engine]
  const known = Object.keys(options.drivers).join(', ')
  const problems = driver
    ? driver.check(spec.engine).map((problem) => `${where}.${problem}`)
    : [`${where}.engine: this version has no driver for ${spec.engine.engine}, only ${known}`]
  return [
    ...problems,
    ...checkModel(spec, where),
    ...(spec.isStrict && spec.engine.slots !== 1
      ? [`${where}.slots: determinism strict needs exactly 1`]
      : []),
  ]
}

const checkModel = (spec: PoolSpec, where: string): string[] => {
  const { modelPath, engine } = spec
  const problems: string[] = []
  if (modelPath !== undefined && engine.mode === 'managed' && !isFile(modelPath))
    problems.push(`${where}.model: there is no file ${modelPath}`)
  if (engine.modelId !== undefined) {
    try {
      parseModelId(engine.modelId)
    } catch (error) {
      problems.push(`${where}.model_id: ${BerthError.from(error).message}`)
    }
  }
  return problems
}

const isFile = (path: string): boolean =>
  statSync(path, { throwIfNoEntry: false })?.isFile() ?? false

const invalid = (path: string, problems: readonly string[]) =>
  new BerthError(
    'CONFIG_INVALID',
    `The pools file ${path} has ${problems.length === 1 ? 'a problem' : `${problems.length} problems`}:\n` +
      problems.map((problem) => `  ${problem}`).join('\n'),
    { facts: { problems: problems.length } },
  )
