import { clearKeyed } from '@berth/fleet'
import type { Core } from './core-state.ts'
import { dispatchAll } from './dispatch.ts'
import { voidLease } from './grant.ts'
import { leave } from './gateways.ts'
import { dropLedger, openLedger } from './ledger.ts'
import { deliverKey, meetHost } from './hosts.ts'

/**
 * This core leads under `term`. A leader that led until now under a lower term keeps its leases
 * and sessions; only the hosts need the new key.
 */
export const lead = (core: Core, term: number): void => {
  if (core.role.kind === 'leader' && core.role.term === term) return
  core.role = { kind: 'leader', term, sinceMs: core.clock.now() }
  clearKeyed(core.view)
  core.effects.report({ kind: 'leading', term })
  openLedger(core, term)
  for (const host of core.view.hosts.values()) {
    deliverKey(core, host)
    meetHost(core, host)
  }
  dispatchAll(core)
}

/**
 * Another core leads, or nobody known. Gateways are sent on; leases and queue are theirs to
 * declare and send again. The view goes on being folded.
 */
export const follow = (core: Core, term: number, address: string): void => {
  const { role } = core
  if (role.kind === 'standby' && role.term === term && role.address === address) return
  core.role = { kind: 'standby', term, address }
  if (role.kind === 'standby') return
  core.effects.report({ kind: 'following', term, address })
  for (const key of [...core.sessions.keys()]) {
    core.effects.send(key, { kind: 'not_leader', address, term })
    leave(core, key)
    core.effects.close(key)
  }
  for (const lease of [...core.leases.byId.values()]) voidLease(core, lease, 'leadership', false)
  core.gateways.clear()
  dropLedger(core)
  core.met.clear()
  for (const hostId of core.view.hosts.keys()) core.effects.forgetHost(hostId)
}
