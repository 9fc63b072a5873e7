import { unreachable } from '@berth/kernel'
import { drain, restart, start, stop, undrain } from './on-command.ts'
import { deviceFault, deviceOk, withFault } from './on-device.ts'
import { adopt, exited, gone, idle, launched, launchFailed, output } from './on-instance.ts'
import { loadFailed, loadSign, stageSign } from './on-load.ts'
import { observed } from './on-observed.ts'
import { busy, probed } from './on-probe.ts'
import { reload, stageFailed, staged } from './on-reload.ts'
import { timer } from './on-timer.ts'
import { unchanged, type Step } from './move.ts'
import { instanceOf } from './pool-state.ts'
import { NO_RESTARTS } from './restart-policy.ts'
import type { StepContext, Supervised } from './supervised.ts'
import type { SupervisionEvent } from './supervision-event.ts'

/**
 * What a pool becomes after an event, and what its shell has to do about it. Pure and total: an
 * event that does not fit the state, or speaks of an instance that is no more, changes nothing.
 */
export const step = (pool: Supervised, event: SupervisionEvent, context: StepContext): Step =>
  withFault(decide(pool, event, context))

const decide = (pool: Supervised, event: SupervisionEvent, context: StepContext): Step => {
  if ('instanceId' in event && event.instanceId !== instanceOf(pool.state)) return unchanged(pool)
  switch (event.kind) {
    case 'start':
      return start(pool, context)
    case 'adopt':
      return adopt(pool, event.adopted.instanceId, context)
    case 'stop':
      return stop(pool, event, context)
    case 'restart':
      return restart(pool, event, context)
    case 'drain':
      return drain(pool, event, context)
    case 'undrain':
      return undrain(pool, context)
    case 'reload':
      return reload(pool, event, context)
    case 'staged':
      return staged(pool, event, context)
    case 'stage_failed':
      return stageFailed(pool, event, context)
    case 'stage_sign':
      return stageSign(pool, event, context)
    case 'reset_restarts':
      return unchanged({
        ...pool,
        failedLoads: 0,
        history: { ...NO_RESTARTS, lastStartAt: pool.history.lastStartAt },
      })
    case 'launched':
      return launched(pool, event.instanceId, context)
    case 'launch_failed':
      return launchFailed(pool, event, context)
    case 'output':
      return output(pool, context)
    case 'load_sign':
      return loadSign(pool, event, context)
    case 'load_failed':
      return loadFailed(pool, event, context)
    case 'probed':
      return probed(pool, event, context)
    case 'observed':
      return observed(pool, event, context)
    case 'exited':
      return exited(pool, event, context)
    case 'gone':
      return gone(pool, event.instanceId, context)
    case 'device_fault':
      return deviceFault(pool, event, context)
    case 'device_ok':
      return deviceOk(pool, context)
    case 'idle':
      return idle(pool, context)
    case 'busy':
      return busy(pool, context)
    case 'timer':
      return timer(pool, event.name, context)
    default:
      return unreachable(event)
  }
}
