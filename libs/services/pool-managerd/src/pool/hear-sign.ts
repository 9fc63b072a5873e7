import type { CrashReport, LogSign, SupervisionEvent } from '@berth/supervision'
import type { PoolSpec } from '../pools-file/pool-spec.ts'

/** What a sign in the log of an instance means to its supervision; `undefined` for nothing. */
export const eventOfSign = (
  sign: LogSign,
  instanceId: string,
  { devices }: Pick<PoolSpec, 'devices'>,
): SupervisionEvent | undefined => {
  switch (sign.kind) {
    case 'phase': {
      const { kind: _, ...load } = sign
      return { kind: 'load_sign', instanceId, ...load }
    }
    case 'gpu_missing':
      return devices.some((device) => device !== 'cpu')
        ? { kind: 'load_failed', instanceId, report: onCpu(sign.fact, devices) }
        : undefined
    case 'memory':
    case 'kv_room':
      return undefined
  }
}

const onCpu = (fact: string, devices: readonly string[]): CrashReport => ({
  kind: 'device_error',
  message:
    `The engine runs on the CPU although the pool has ${devices.join(', ')}: ${fact.slice(0, 200)}. ` +
    'Use a build of the engine for this GPU and a driver that matches it, or set devices to [cpu].',
  isRetriable: true,
})
