import { depths } from '@berth/admission'
import { hostAgeMs } from '@berth/fleet'
import type { Metrics, SeriesName } from '@berth/runtime'
import type { Core } from './core-state.ts'
import { UNASSIGNED } from './placed-labels.ts'

/** Registers what is read from the state when somebody scrapes. Scraping changes nothing. */
export const registerGauges = (metrics: Metrics, core: Readonly<Core>): void => {
  const read = (name: PlainGauge, value: () => number) =>
    metrics.read(name, (show) => show({}, value()))
  read('berth_leases', () => core.leases.byId.size)
  read('berth_gateways', () => core.sessions.size)
  read('berth_hosts', () => core.view.hosts.size)
  read('berth_pool_conflicts', () => core.view.conflicts.size)
  read('berth_leader', () => (core.role.kind === 'leader' ? 1 : 0))
  read('berth_term', () => core.role.term)
  metrics.read('queue_depth', (show) => {
    const { engine, engine_version, pool_id } = UNASSIGNED
    for (const [priority, depth] of Object.entries(depths(core.queue))) {
      show({ engine, engine_version, pool_id, priority }, depth)
    }
  })
  metrics.read('berth_snapshot_age_seconds', (show) => {
    const now = core.clock.now()
    for (const host of core.view.hosts.values()) {
      show({ host_id: host.hostId }, hostAgeMs(core.view, host, now) / 1_000)
    }
  })
}

type PlainGauge = Extract<
  SeriesName,
  | 'berth_leases'
  | 'berth_gateways'
  | 'berth_hosts'
  | 'berth_pool_conflicts'
  | 'berth_leader'
  | 'berth_term'
>
