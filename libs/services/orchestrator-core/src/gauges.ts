import { depths, type JobClass } from '@berth/admission'
import { hostAgeMs } from '@berth/fleet'
import type { Metrics } from '@berth/runtime'
import type { Core } from './core-state.ts'

/** Registers what is read from the state when somebody scrapes. Scraping changes nothing. */
export const registerGauges = (metrics: Metrics, core: Readonly<Core>): void => {
  const read = (name: string, help: string, value: () => number) =>
    metrics.gauge({
      name,
      help,
      collect() {
        this.set(value())
      },
    })
  read('berth_leases', 'Leases core counts.', () => core.leases.byId.size)
  read('berth_gateways', 'Gateways with a session.', () => core.sessions.size)
  read('berth_hosts', 'Hosts in the view.', () => core.view.hosts.size)
  read('berth_pool_conflicts', 'Pool ids claimed twice.', () => core.view.conflicts.size)
  read('berth_leader', '1 on the core that leads.', () => (core.role.kind === 'leader' ? 1 : 0))
  read('berth_term', 'The highest leader term known.', () => core.role.term)
  metrics.gauge({
    name: 'queue_depth',
    help: 'Jobs that wait. No pool is chosen for them yet.',
    labelNames: ['engine', 'engine_version', 'pool_id', 'priority'],
    collect() {
      for (const [priority, depth] of Object.entries(depths(core.queue)) as [JobClass, number][]) {
        this.set({ ...UNASSIGNED, priority }, depth)
      }
    },
  })
  metrics.gauge({
    name: 'berth_snapshot_age_seconds',
    help: 'Since a host was last heard of.',
    labelNames: ['host_id'],
    collect() {
      this.reset()
      const now = core.clock.now()
      for (const host of core.view.hosts.values()) {
        this.set({ host_id: host.hostId }, hostAgeMs(core.view, host, now) / 1_000)
      }
    },
  })
}

const UNASSIGNED = { engine: 'unassigned', engine_version: 'unassigned', pool_id: 'unassigned' }
