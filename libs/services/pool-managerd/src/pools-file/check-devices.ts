import { maskFacts, type BudgetClaim, type ResolvedMask } from '@berth/devices'
import type { EngineDriver, EngineName } from '@berth/supervision'
import type { PoolSpec } from './pool-spec.ts'

/** The pool with the devices of its mask by their ids, each once. */
export const withMask = (spec: PoolSpec, { devices, unknown, problems }: ResolvedMask): PoolSpec =>
  problems.length > 0 || unknown.length > 0
    ? spec
    : {
        ...spec,
        devices: devices.map(({ deviceId }) => deviceId),
        deviceUuids: devices.map(({ uuid }) => uuid),
      }

/** What is wrong with the devices of a pool, each with its path. */
export const checkDevices = (
  spec: PoolSpec,
  where: string,
  {
    mask,
    drivers,
  }: {
    readonly mask: ResolvedMask
    readonly drivers: Readonly<Partial<Record<EngineName, EngineDriver>>>
  },
): string[] => {
  const { engine } = spec.engine
  const { computeCapability } = maskFacts(mask.devices)
  const driver = drivers[engine]
  const least = driver?.abilities.minComputeCapability ?? 0
  const isTooOld = computeCapability !== '' && Number(computeCapability) < least
  const isOnCpu = mask.devices.some(({ kind }) => kind === 'cpu')
  return [
    ...mask.problems.map((problem) => `${where}.devices${problem}`),
    ...(isTooOld
      ? [`${where}.devices: ${engine} needs compute capability ${least}, not ${computeCapability}`]
      : []),
    ...driverProblems(spec, mask, driver).map((problem) => `${where}.${problem}`),
    ...(isOnCpu && spec.vramBudgetBytes !== undefined
      ? [`${where}.vram_budget_bytes: the cpu has no video memory`]
      : []),
  ]
}

/** Of devices that are not all there, nothing can be said. */
const driverProblems = (
  { engine }: PoolSpec,
  { devices, problems, unknown }: ResolvedMask,
  driver: EngineDriver | undefined,
): readonly string[] =>
  problems.length > 0 || unknown.length > 0
    ? []
    : (driver?.checkDevices?.(
        engine,
        devices.map(({ kind }) => kind),
      ) ?? [])

/** What a pool claims of its devices. */
export const claimOf = (
  { vramBudgetBytes }: PoolSpec,
  { devices }: ResolvedMask,
): Pick<BudgetClaim, 'devices' | 'budgetBytes'> => ({
  devices: devices.filter(({ kind }) => kind !== 'cpu'),
  ...(vramBudgetBytes === undefined ? {} : { budgetBytes: vramBudgetBytes }),
})
