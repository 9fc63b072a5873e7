import type { Clock } from '@berth/kernel'
import { DEFAULT_LEDGER_POLICY } from '@berth/memory'
import type { Logger, Scope } from '@berth/runtime'
import type { Devices } from '../device/devices.ts'
import { machineOf, type Machine } from '../engine/machine.ts'
import type { Settings } from '../settings.ts'
import { pidsOfGroup } from '../state/process-scan.ts'
import { openCorrections } from './keep-corrections.ts'
import { MemoryBook } from './memory-book.ts'

/** The ledger of this host, with what earlier lives of the agent learned. */
export const openMemoryBook = async (
  { stateDir, settings }: { readonly stateDir: string; readonly settings: Settings },
  world: {
    readonly devices: Devices
    readonly machine?: Machine
    readonly clock: Clock
    readonly log: Logger
    readonly scope: Scope
  },
): Promise<MemoryBook> => {
  const { clock, log, devices, scope } = world
  const corrections = await openCorrections(stateDir, log)
  scope.defer(() => corrections.written())
  return scope.use(
    new MemoryBook({
      ...{ clock, log, devices, corrections },
      policy: {
        ...DEFAULT_LEDGER_POLICY,
        headroomShare: settings.vramHeadroomRatio,
        releaseTimeoutMs: settings.vramReleaseTimeoutMs,
      },
      pidsOf: (instanceId, pid) => [
        ...pidsOfGroup(pid),
        ...machineOf(world)
          .findTree(instanceId)
          .map((member) => member.pid),
      ],
    }),
  )
}
