import type { FoundDevice } from './device.ts'

/** What one pool may take of each device of its mask. */
export interface BudgetClaim {
  /** Where the pool stands in its file, such as `pools[1]`. */
  readonly where: string
  readonly poolId: string
  readonly devices: readonly FoundDevice[]
  /** Absent: the pool does not say. */
  readonly budgetBytes?: number
}

/** Devices that were promised more than they have, each with the pools it was promised to. */
export const checkBudgets = (claims: readonly BudgetClaim[]): string[] => {
  const claimed = new Map<FoundDevice, { readonly claim: BudgetClaim; readonly bytes: number }[]>()
  for (const claim of claims) {
    if (claim.budgetBytes === undefined) continue
    for (const device of claim.devices)
      claimed.set(device, [...(claimed.get(device) ?? []), { claim, bytes: claim.budgetBytes }])
  }
  return [...claimed].flatMap(([device, shares]) => {
    const promised = shares.reduce((sum, { bytes }) => sum + bytes, 0)
    const { memoryTotalBytes: total, deviceId } = device
    const last = shares.at(-1)
    if (total === undefined || promised <= total || last === undefined) return []
    const who = shares.map(({ claim: { poolId }, bytes }) => `${poolId} ${bytes}`).join(', ')
    return [
      `${last.claim.where}.vram_budget_bytes: device ${deviceId} has ${total} bytes, ` +
        `and ${promised} are promised (${who})`,
    ]
  })
}
