import type { MessageInitShape } from '@bufbuild/protobuf'
import { LedgerState, type DeviceLedgerSchema, type ModelResidencySchema } from '@berth/contract'
import type { FoundDevice } from '@berth/devices'
import { kvBytes } from '@berth/fleet'
import { balanceOf, type LedgerEntry } from '@berth/memory'
import type { Pool } from '../pool/pool.ts'
import type { MemoryBook } from './memory-book.ts'

const STATE = {
  reserved: LedgerState.RESERVED,
  observed: LedgerState.OBSERVED,
  releasing: LedgerState.RELEASING,
} as const satisfies Record<LedgerEntry['state'], LedgerState>

/** The memory of the devices as it is booked, for `HostSnapshot.ledger`. */
export const ledgerMessage = (
  devices: readonly FoundDevice[],
  { ledger }: Pick<MemoryBook, 'ledger'>,
): MessageInitShape<typeof DeviceLedgerSchema>[] =>
  devices.map(({ deviceId, kind, memoryTotalBytes, memoryFreeBytes }) => {
    const { availableBytes } = balanceOf(ledger, deviceId)
    return {
      deviceId,
      ...bytes('totalBytes', memoryTotalBytes),
      ...bytes('measuredFreeBytes', memoryFreeBytes),
      ...bytes('availableBytes', kind === 'cpu' ? undefined : availableBytes),
      entries: ledger.entries.flatMap((entry) => sharesOn(entry, deviceId)),
    }
  })

const sharesOn = ({ poolId, modelId, state, correction, shares }: LedgerEntry, deviceId: string) =>
  shares
    .filter((share) => share.deviceId === deviceId)
    .map(({ reservedBytes, usedBytes }) => ({
      ...{ poolId, modelId, state: STATE[state], correction },
      reservedBytes: told(reservedBytes),
      ...bytes('observedBytes', usedBytes),
    }))

/** What is known of the memory of a pool's one model, for its residency. */
export const residencyMemory = (
  { instance, spec }: Pool,
  memory: MemoryBook | undefined,
): MessageInitShape<typeof ModelResidencySchema> => {
  const entry = instance && memory?.entryOf(instance.instanceId)
  const facts = instance && memory?.factsOf(instance.instanceId)
  const uses = entry?.shares.flatMap(({ deviceId, usedBytes }) =>
    usedBytes === undefined ? [] : [{ deviceId, usedBytes }],
  )
  const onGpus = uses?.filter(({ deviceId }) => deviceId !== 'cpu')
  const hasGpus = spec.devices.some((device) => device !== 'cpu')
  return {
    ...(facts?.dimensions ? { dimensions: facts.dimensions } : {}),
    ...(facts ? { quantization: facts.quantization } : {}),
    ...bytes('memoryBytes', uses?.length ? sum(uses) : undefined),
    ...bytes('gpuBytes', hasGpus && onGpus?.length ? sum(onGpus) : undefined),
  }
}

/**
 * The KV cache an engine has made for itself, as it says, and what of it is not in use: by its own
 * counter, else by its slots.
 */
export const cacheMessage = (
  { instance, kvUsageRatio, slots }: Pool,
  memory: MemoryBook | undefined,
): { readonly kvTotalBytes?: bigint; readonly kvFreeBytes?: bigint } => {
  const heard = instance && memory?.heardOf(instance.instanceId)
  if (!instance || !heard) return {}
  const dimensions = memory?.factsOf(instance.instanceId)?.dimensions
  const { kvTokens } = heard
  const total =
    heard.kvBytes ?? (kvTokens && dimensions ? kvBytes(dimensions, kvTokens) : undefined)
  if (total === undefined) return {}
  const used = kvUsageRatio ?? (slots.total > 0 ? slots.active / slots.total : 0)
  const free = Math.max(0, total * (1 - Math.min(1, used)))
  return { kvTotalBytes: told(total), kvFreeBytes: told(free) }
}

const sum = (uses: readonly { readonly usedBytes: number }[]): number =>
  uses.reduce((total, { usedBytes }) => total + usedBytes, 0)

const bytes = <N extends string>(
  name: N,
  value: number | undefined,
): { readonly [K in N]?: bigint } =>
  (value === undefined ? {} : { [name]: told(value) }) as { [K in N]?: bigint }

/** A figure that no message can hold would keep the whole host from being told. */
const told = (bytes: number): bigint => BigInt(Math.round(Math.min(bytes, Number.MAX_SAFE_INTEGER)))
