import type { RpcLog } from '@berth/rpc'
import type { ConfigChange } from '@berth/runtime'
import { LIVE_SETTINGS, type CoreConfig } from './config.ts'
import type { Coordinator } from './coordinator.ts'
import { toPolicy } from './policy-config.ts'
import type { Series } from './series.ts'

/** What a core is told of its settings while it runs. */
export interface ConfigEvents {
  onChange(change: ConfigChange<CoreConfig>): void
  /** New settings are wrong; somebody has said why already. */
  onRefused(): void
}

/** Applies changed settings where that is possible, and names those that wait for a restart. */
export const followConfig = (
  coordinator: Coordinator,
  series: Series,
  log: RpcLog,
): ConfigEvents => ({
  onChange: ({ config, changed }) => {
    coordinator.onPolicy(toPolicy(config))
    series.reloads.inc({ outcome: 'applied' })
    const applied = changed.filter(isLive)
    const waiting = changed.filter((name) => !isLive(name))
    if (applied.length > 0) log.info({ settings: applied }, 'settings changed')
    if (waiting.length > 0) log.warn({ settings: waiting }, 'changed settings need a restart')
  },
  onRefused: () => series.reloads.inc({ outcome: 'refused' }),
})

const isLive = (name: string): boolean =>
  LIVE_SETTINGS.some((live) => name === live || name.startsWith(`${live}.`))
