import type { FoundDevice, GpuProcess } from '@berth/devices'
import type { KnownEstimate, Ledger, Shortfall } from '@berth/memory'

const GIB = 1_073_741_824

/** Who has memory of a device, besides the engines of this agent. */
export interface Strangers {
  readonly shown: readonly GpuProcess[] | undefined
  readonly ownPids: ReadonlySet<number>
  readonly devices: readonly FoundDevice[]
}

/** Why a load does not fit, with every figure and who holds what. */
export const explainShortfall = (
  { poolId, modelRef }: { readonly poolId: string; readonly modelRef: string },
  {
    shortfalls,
    estimate,
  }: { shortfalls: readonly Shortfall[]; estimate: KnownEstimate | undefined },
  ledger: Ledger,
  strangers: Strangers,
): string => {
  const facts = shortfalls.map((need) => shortOn(need, ledger, strangers))
  const terms = estimate?.terms.map(({ name, bytes }) => `${name} ${gib(bytes)}`).join(', ') ?? ''
  return (
    `Pool ${poolId} does not fit${modelRef === '' ? '' : ` with ${modelRef}`}: ${facts.join(' ')} ` +
    (terms === '' ? '' : `The estimate is ${terms} GiB. `) +
    'Stop a pool that shares the device, or lower context_length, slots or the size of the model; ' +
    `berth models fit ${modelRef || 'MODEL'} --pool ${poolId} shows the arithmetic.`
  )
}

const shortOn = (need: Shortfall, ledger: Ledger, strangers: Strangers): string => {
  const { deviceId, requiredBytes, availableBytes = 0, headroomBytes, totalBytes } = need
  const of = totalBytes === undefined ? '' : ` of ${gib(totalBytes)}`
  const kept = headroomBytes > 0 ? `, ${gib(headroomBytes)} of them kept free` : ''
  const holders = holdersOf(deviceId, ledger, strangers)
  return (
    `GPU ${deviceId} needs ${gib(requiredBytes)} GiB and has ${gib(availableBytes)}${of} GiB to ` +
    `give${kept}.${holders.length === 0 ? '' : ` Held by ${holders.join(', ')}.`}`
  )
}

/** Pools with what they have booked or taken, and processes of others, the largest first. */
export const holdersOf = (
  deviceId: string,
  { entries }: Ledger,
  { shown = [], ownPids, devices }: Strangers,
): readonly string[] => {
  const ours = entries.flatMap(({ poolId, state, shares }) =>
    shares
      .filter((share) => share.deviceId === deviceId)
      .map(({ usedBytes, reservedBytes }) => ({
        bytes: usedBytes ?? reservedBytes,
        who: `pool ${poolId}${state === 'releasing' ? ' (ended, not given back)' : ''}`,
      })),
  )
  const device = devices.find((each) => each.deviceId === deviceId)
  const theirs = shown
    .filter(({ pid, gpuUuid }) => {
      const isHere = gpuUuid === device?.uuid || gpuUuid === device?.parentUuid
      return isHere && !ownPids.has(pid)
    })
    .map(({ pid, memoryBytes = 0 }) => ({ bytes: memoryBytes, who: `process ${pid}` }))
  return [...ours, ...theirs]
    .filter(({ bytes }) => bytes > 0)
    .sort((a, b) => b.bytes - a.bytes)
    .slice(0, 8)
    .map(({ who, bytes }) => `${who} (${gib(bytes)} GiB)`)
}

export const gib = (bytes: number): string => (bytes / GIB).toFixed(1)
