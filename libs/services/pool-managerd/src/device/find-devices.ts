import type { Clock } from '@berth/kernel'
import type { Logger, Scope } from '@berth/runtime'
import { cpuName, hostMemory } from './cpu-inventory.ts'
import { createDevices, type Devices } from './devices.ts'
import { openKernelLog } from './kernel-log.ts'
import { createToolRunner } from './run-tool.ts'

/** The devices of this host, looked at once and then every few seconds until the scope ends. */
export const findDevices = async (
  { env }: { readonly env: Readonly<Record<string, string | undefined>> },
  { scope, clock, log }: { readonly scope: Scope; readonly clock: Clock; readonly log: Logger },
): Promise<Devices> => {
  const { run } = scope.use(createToolRunner({ clock, env }))
  const kernelLog = await openKernelLog(log)
  const devices = scope.use(
    createDevices({ clock, run, cpuName: cpuName(), hostMemory, kernelLog }),
  )
  await devices.look()
  return devices
}
