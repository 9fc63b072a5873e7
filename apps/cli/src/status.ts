import { systemClock } from '@berth/runtime'
import { awaitPools } from './await-gateway.ts'
import { EXIT } from './exit-code.ts'
import { readHolder } from './fleet-lock.ts'
import { listPools, type PoolView } from './gateway-client.ts'
import type { Paths } from './paths.ts'
import { isAlive } from './processes.ts'
import type { CommandContext } from './run-command.ts'
import { readRunState, type RunState } from './run-state.ts'
import { formatDuration } from './status-line.ts'
import { formatTable } from './table.ts'

export interface StatusContext extends CommandContext {
  readonly paths: Paths
  readonly options: { readonly json: boolean }
}

/** Shows the fleet of this checkout; exits with `notRunning` when there is none. */
export const status = async ({
  paths,
  terminal,
  signal,
  options,
}: StatusContext): Promise<number> => {
  const holder = readHolder(paths)
  const state = holder && readRunState(paths)
  if (holder === undefined || state?.supervisor.pid !== holder.pid) {
    const phase = holder ? 'starting' : 'stopped'
    if (options.json) terminal.print(JSON.stringify({ running: false, phase }))
    else
      terminal.print(holder ? 'A fleet is starting.' : 'No fleet is running. Start one: ./berth up')
    return EXIT.notRunning
  }
  const { url, phase } = state
  const pools = await (phase === 'ready' ? awaitPools({ url, terminal, signal }) : listPools(url))
  if (options.json) terminal.print(JSON.stringify(asJson(state, pools), null, 2))
  else for (const line of asText(state, pools)) terminal.print(line)
  return EXIT.ok
}

const asJson = (state: RunState, pools: readonly PoolView[] | undefined) => ({
  running: true,
  phase: state.phase,
  url: state.url,
  pid: state.supervisor.pid,
  started_at_ms: state.startedAtMs,
  services: state.services.map((service) => ({
    name: service.name,
    pid: service.pid,
    alive: isAlive(service),
  })),
  ports: state.ports,
  pools: pools ?? null,
})

const asText = (state: RunState, pools: readonly PoolView[] | undefined): string[] => {
  const upFor = formatDuration(systemClock().wall() - state.startedAtMs)
  return [
    `${state.url}  ${state.phase}, up ${upFor}, pid ${state.supervisor.pid}`,
    '',
    ...formatTable(
      ['SERVICE', 'PID', 'STATE'],
      state.services.map((service) => [
        service.name,
        String(service.pid),
        isAlive(service) ? 'running' : 'ended',
      ]),
    ),
    '',
    ...(pools === undefined
      ? ['The gateway does not answer. Its log: .berth/run/logs/orchestratord.log']
      : formatTable(
          ['POOL', 'ENGINE', 'MODEL', 'STATE', 'SLOTS FREE'],
          pools.map((pool) => [
            pool.id,
            pool.engine,
            pool.model_id ?? '-',
            pool.state,
            `${pool.slots_free}/${pool.slots_total}`,
          ]),
        )),
  ]
}
