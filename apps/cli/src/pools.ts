import { EXIT } from './exit-code.ts'
import type { Paths } from './paths.ts'
import type { Gateway } from './placement-client.ts'
import { followLog, readLog, readOperations, readPool, readPools } from './pools-client.ts'
import { historyText, poolText, poolsText } from './pools-text.ts'
import type { CommandContext } from './run-command.ts'
import { readRunState } from './run-state.ts'

/** Flags of all `pools` commands. */
export interface PoolsOptions {
  readonly url?: string
  readonly json?: boolean
}

export interface PoolsContext<Options extends PoolsOptions = PoolsOptions> extends CommandContext {
  readonly paths: Paths
  readonly options: Options
}

const DEFAULT_URL = 'http://127.0.0.1:8080'

/** The gateway that was named, or that of the fleet of this checkout. */
export const gatewayOf = ({ paths, options, signal }: PoolsContext): Gateway => ({
  url: (options.url ?? readRunState(paths)?.url ?? DEFAULT_URL).replace(/\/+$/, ''),
  signal,
})

/** Prints what was said as JSON, or as lines for people. */
export const show = (
  { options, terminal }: PoolsContext,
  json: unknown,
  lines: readonly string[],
): void => {
  if (options.json) terminal.print(JSON.stringify(json, null, 2))
  else for (const line of lines) terminal.print(line)
}

export const poolsLs = async (context: PoolsContext): Promise<number> => {
  const pools = await readPools(gatewayOf(context))
  show(context, pools, poolsText(pools))
  return EXIT.ok
}

export const poolsShow = async (context: PoolsContext, id: string): Promise<number> => {
  const pool = await readPool(gatewayOf(context), id)
  show(context, pool, poolText(pool))
  return EXIT.ok
}

export const poolsHistory = async (context: PoolsContext, id: string): Promise<number> => {
  const gateway = gatewayOf(context)
  const { transitions } = await readPool(gateway, id)
  const operations = await readOperations(gateway, id)
  show(context, { transitions, operations }, historyText(transitions, operations))
  return EXIT.ok
}

/** The last lines of an engine's log; with `follow`, until Ctrl-C. */
export const poolsLogs = async (
  context: PoolsContext<PoolsOptions & { readonly follow: boolean; readonly lines: number }>,
  id: string,
): Promise<number> => {
  const { options, terminal } = context
  const gateway = gatewayOf(context)
  if (options.follow)
    for await (const line of followLog(gateway, id, options.lines)) terminal.print(line)
  else for (const line of await readLog(gateway, id, options.lines)) terminal.print(line)
  return EXIT.ok
}
