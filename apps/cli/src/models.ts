import { systemClock } from '@berth/runtime'
import { byteText } from './byte-text.ts'
import { CliError } from './cli-error.ts'
import { EXIT } from './exit-code.ts'
import { progressLine, tellProgress } from './load-progress.ts'
import {
  loadIntoPool,
  pullFiles,
  readFits,
  readHostFiles,
  readHostIds,
  removeFiles,
  unloadFromPool,
} from './models-client.ts'
import { filesText, fitText, residencyText, silentText } from './models-text.ts'
import type { Gateway } from './placement-client.ts'
import { untilOver } from './pool-change.ts'
import { readPools, type OperationDetail } from './pools-client.ts'
import { operationLine } from './pools-text.ts'
import { gatewayOf, show, type PoolsContext, type PoolsOptions } from './pools.ts'

/** Flags of the commands that start an operation. */
export interface WaitOptions extends PoolsOptions {
  /** False: leave when it has begun. */
  readonly wait: boolean
}

export type PullOptions = WaitOptions & { readonly host?: string; readonly digest?: string }
export type LoadOptions = WaitOptions & {
  readonly pool: string
  readonly id?: string
  readonly pin: boolean
  readonly ttl?: number
  readonly deadline?: number
  readonly dryRun: boolean
}
export type UnloadOptions = WaitOptions & {
  readonly pool: string
  readonly force: boolean
  readonly deadline?: number
}

/** Models in pools, and files on hosts. */
export const modelsLs = async (
  context: PoolsContext<PoolsOptions & { readonly host?: string }>,
): Promise<number> => {
  const gateway = gatewayOf(context)
  const pools = await readPools(gateway)
  const files = await readHostFiles(gateway, context.options.host)
  const models = pools.flatMap((pool) =>
    (pool.models ?? []).map((model) => ({ ...model, pool_id: pool.id, engine: pool.engine })),
  )
  const json = { models, hosts: files.data, silent_hosts: files.silent_hosts }
  const lines = [residencyText(pools), filesText(files.data), silentText(files.silent_hosts)]
  show(context, json, lines.flat())
  return EXIT.ok
}

/** Brings a model's files to a host, and shows how far they are. */
export const modelsPull = async (
  context: PoolsContext<PullOptions>,
  ref: string,
): Promise<number> => {
  const { host, digest } = context.options
  const gateway = gatewayOf(context)
  const where = host ?? onlyOne(await readHostIds(gateway), 'The fleet has')
  const body = { model_ref: ref, ...(digest === undefined ? {} : { digest }) }
  return follow(context, gateway, await pullFiles(gateway, where, body))
}

/** Removes a model's files from the host that has them. */
export const modelsRm = async (
  context: PoolsContext<PoolsOptions & { readonly host?: string }>,
  ref: string,
): Promise<number> => {
  const gateway = gatewayOf(context)
  const where = context.options.host ?? (await hostWith(gateway, ref))
  const removed = await removeFiles(gateway, where, ref)
  const freed = byteText(removed.freed_bytes)
  show(context, removed, [`${ref} is gone from ${removed.host_id}: ${freed} freed.`])
  return EXIT.ok
}

/** What a model would take, term by term. Exits with `failed` when it fits nowhere. */
export const modelsFit = async (
  context: PoolsContext<PoolsOptions & { readonly pool?: string }>,
  ref: string,
): Promise<number> => {
  const { pool } = context.options
  const body = { model_ref: ref, ...(pool === undefined ? {} : { pool_id: pool }) }
  const gateway = gatewayOf(context)
  const answer = await readFits(gateway, body)
  const hasRoomElsewhere = answer.data.some(({ evictable_model_ids: ids }) => ids.length > 0)
  const pools = hasRoomElsewhere ? await readPools(gateway) : []
  const lines = [...fitText(answer.data, ref, pools), ...silentText(answer.silent_hosts)]
  show(context, answer, lines)
  return answer.data.some(({ fits }) => fits === true) ? EXIT.ok : EXIT.failed
}

/** Loads a model into a pool. */
export const modelsLoad = async (
  context: PoolsContext<LoadOptions>,
  ref: string,
): Promise<number> => {
  const { pool, id, pin, ttl, deadline, dryRun } = context.options
  if (dryRun) return modelsFit(context, ref)
  const gateway = gatewayOf(context)
  const operation = await loadIntoPool(gateway, pool, {
    model_ref: ref,
    ...(id === undefined ? {} : { model_id: id }),
    ...(pin ? { pin } : {}),
    ...(ttl === undefined ? {} : { ttl_s: Math.max(1, Math.round(ttl)) }),
    ...(deadline === undefined ? {} : { deadline_ms: toMs(deadline) }),
  })
  return follow(context, gateway, operation)
}

/** Takes a model out of the memory of a pool's engine; its files stay. */
export const modelsUnload = async (
  context: PoolsContext<UnloadOptions>,
  model: string,
): Promise<number> => {
  const { pool, force, deadline } = context.options
  const gateway = gatewayOf(context)
  const query = new URLSearchParams({
    ...(force ? { force: 'true' } : {}),
    ...(deadline === undefined ? {} : { deadline_ms: String(toMs(deadline)) }),
  }).toString()
  const asked = { pool, model, query: query === '' ? '' : `?${query}` }
  return follow(context, gateway, await unloadFromPool(gateway, asked))
}

/** Shows an operation to its end, unless `--no-wait`; the exit code says how it ended. */
const follow = async (
  context: PoolsContext<WaitOptions>,
  gateway: Gateway,
  asked: OperationDetail,
): Promise<number> => {
  const { options, terminal } = context
  const clock = systemClock()
  const told = tellProgress(clock, terminal)
  const tell = options.json ? () => undefined : told
  const operation = options.wait ? await untilOver(gateway, asked, { clock, tell }) : asked
  terminal.clear()
  const isOver = operation.completed_at !== null
  const line = isOver ? operationLine(operation) : progressLine(operation)
  show(context, operation, isOver ? [line] : [line, `operation ${operation.operation_id}`])
  return BAD_ENDS.has(operation.status) ? EXIT.failed : EXIT.ok
}

const BAD_ENDS: ReadonlySet<string> = new Set(['failed', 'cancelled'])

const hostWith = async (gateway: Gateway, ref: string): Promise<string> => {
  const { data } = await readHostFiles(gateway)
  const having = data.filter(({ models }) => models.some((file) => file.model_ref === ref))
  if (having.length > 0)
    return onlyOne(
      having.map(({ host_id: id }) => id),
      `${ref} is on`,
    )
  // Another spelling of a reference is for the agent to know, where there is only one.
  return onlyOne(
    data.map(({ host_id: id }) => id),
    `${ref} is on none of`,
  )
}

const onlyOne = (hosts: readonly string[], what: string): string => {
  const [only, ...more] = hosts
  if (only !== undefined && more.length === 0) return only
  if (only === undefined)
    throw new CliError(EXIT.failed, 'The fleet has no host.', 'Look: ./berth status')
  throw new CliError(EXIT.usage, `${what} ${hosts.join(', ')}.`, 'Say which: --host ID')
}

const toMs = (seconds: number) => Math.max(1, Math.round(seconds * 1_000))
