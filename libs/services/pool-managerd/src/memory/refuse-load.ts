import type { FoundDevice } from '@berth/devices'
import { weighClaim, type Ledger, type Shortfall } from '@berth/memory'
import type { CrashReport } from '@berth/supervision'
import { explainShortfall, gib, type Strangers } from './explain-shortfall.ts'
import type { MemoryLoad, WeighedLoad } from './memory-load.ts'

/** Why a load is refused whatever else there is on its devices. */
export const refuseWeighed = (
  load: MemoryLoad,
  weighed: WeighedLoad,
  ledger: Ledger,
  devices: readonly FoundDevice[],
): CrashReport | undefined => {
  const { estimate, claim, plan } = weighed
  const { spec, facts } = load
  if (estimate.kind === 'refused') return outOfVram(`Pool ${spec.poolId}: ${estimate.reason}`)
  const hasGpus = spec.devices.some((device) => device !== 'cpu')
  const isStrange = estimate.kind === 'unknown' && plan.kind === 'allocated' && facts !== undefined
  if (isStrange && hasGpus && spec.vramBudgetBytes === undefined)
    return refuseUnknown(load, estimate.reason)
  const ram = devices.find(({ kind }) => kind === 'cpu')?.memoryTotalBytes ?? Infinity
  const offloaded = estimate.kind === 'known' ? estimate.hostBytes : 0
  const onHost = hasGpus ? offloaded : facts?.weightBytes
  if (onHost !== undefined && onHost > ram) return refuseHost(load, onHost, ram)
  const { vramBudgetBytes: budget } = spec
  if (budget === undefined || estimate.kind !== 'known') return undefined
  const over = weighClaim(ledger, claim).find(({ requiredBytes }) => requiredBytes > budget)
  if (!over) return undefined
  return outOfVram(
    `Pool ${spec.poolId} needs ${gib(over.requiredBytes)} GiB of GPU ${over.deviceId} for ` +
      `${spec.modelRef}, and its vram_budget_bytes are ${gib(budget)} GiB. Raise the budget, or ` +
      'lower context_length, slots or the size of the model.',
  )
}

/** It does not fit beside what is there. */
export const refuseShort = (
  { spec }: MemoryLoad,
  of: WeighedLoad & {
    readonly shortfalls: readonly Shortfall[]
    /** What did not come back, in words. */
    readonly lost: readonly string[]
  },
  ledger: Ledger,
  strangers: Strangers,
): CrashReport => {
  const estimate = of.estimate.kind === 'known' ? of.estimate : undefined
  const why = explainShortfall(spec, { shortfalls: of.shortfalls, estimate }, ledger, strangers)
  return outOfVram(of.lost.length === 0 ? why : `${why} Besides, ${of.lost.join('; ')}.`)
}

export const refuseFull = (maxEntries: number): CrashReport =>
  outOfVram(`This host has ${maxEntries} loads booked, and takes no more of them.`)

/** Files that can be read and say nothing that an estimate could begin with. */
const refuseUnknown = ({ spec }: MemoryLoad, reason: string): CrashReport => ({
  kind: 'model_invalid',
  message:
    `What ${spec.modelRef} takes of a GPU cannot be told: ${reason} Set vram_budget_bytes of pool ` +
    `${spec.poolId} to let it in by your own figure.`,
  isRetriable: false,
})

const refuseHost = ({ spec }: MemoryLoad, needed: number, ram: number): CrashReport => ({
  kind: 'out_of_memory',
  message:
    `Pool ${spec.poolId} would put ${gib(needed)} GiB of ${spec.modelRef} into main memory, and ` +
    `this host has ${gib(ram)} GiB. Take a smaller model, or one that is quantised further.`,
  isRetriable: false,
})

/** Memory may come free: it is tried again. */
const outOfVram = (message: string): CrashReport => ({
  kind: 'out_of_vram',
  message: `Too little GPU memory. ${message}`,
  isRetriable: true,
})
