import type { FoundDevice } from './device.ts'

/** A mask as its pool means it, and what is wrong with it. */
export interface ResolvedMask {
  /** Each device once, in the order of the mask. */
  readonly devices: readonly FoundDevice[]
  /** Spellings that name nothing that was found. */
  readonly unknown: readonly string[]
  /** With the place in the mask where there is one: `[1]: ...`. None: it can be used. */
  readonly problems: readonly string[]
}

/**
 * The devices a mask names: by index (`0`, `"0"`, `GPU0`), slice (`0:1`), UUID, or `cpu`. Two
 * spellings of one device are one device. While a driver does not answer (`isIncomplete`) a
 * device that was not found may be there all the same: that is no problem of the mask.
 */
export const resolveMask = (
  mask: readonly string[],
  found: readonly FoundDevice[],
  { isIncomplete = false }: { readonly isIncomplete?: boolean } = {},
): ResolvedMask => {
  const named = mask.map((spelling) => deviceOf(spelling, found))
  const unknown = mask.filter((_, at) => named[at] === undefined)
  const devices = [...new Set(named.filter((device) => device !== undefined))]
  const problems = mask.flatMap((spelling, at) => {
    const device = named[at]
    if (device === undefined) return isIncomplete ? [] : [`[${at}]: ${missing(spelling, found)}`]
    return device.isPartitioned ? [`[${at}]: ${partitioned(device, found)}`] : []
  })
  return { devices, unknown, problems: [...problems, ...together(mask, devices)] }
}

const deviceOf = (spelling: string, found: readonly FoundDevice[]): FoundDevice | undefined => {
  const wanted = spelling.trim().toLowerCase()
  const index = /^gpu(\d{1,4})$/.exec(wanted)?.[1] ?? wanted
  return (
    found.find(({ deviceId }) => deviceId.toLowerCase() === index) ??
    found.find(({ uuid }) => uuid.toLowerCase() === wanted)
  )
}

const missing = (spelling: string, found: readonly FoundDevice[]) =>
  `this host has no device ${spelling.slice(0, 128)}, only ${nameAll(found)}`

const partitioned = ({ deviceId, uuid }: FoundDevice, found: readonly FoundDevice[]) => {
  const slices = found.filter(({ parentUuid }) => parentUuid === uuid)
  return slices.length === 0
    ? `device ${deviceId} is in MIG mode and has no slice: make one, or turn MIG off`
    : `device ${deviceId} is cut into slices (MIG): name one of ${nameAll(slices)}`
}

/** What cannot be in one mask: an engine sees devices of one make, and one slice at most. */
const together = (mask: readonly string[], devices: readonly FoundDevice[]): string[] => {
  if (mask.length === 0) return [': names no device; leave it out for the cpu']
  const kinds = new Set(devices.map(({ kind }) => (kind === 'nvidia_mig' ? 'nvidia' : kind)))
  const slices = devices.filter(({ kind }) => kind === 'nvidia_mig').length
  return [
    ...(kinds.size > 1 ? [`: ${[...kinds].join(' and ')} devices cannot serve one engine`] : []),
    ...(slices > 1 || (slices === 1 && devices.length > 1)
      ? [': a process can use one MIG slice and nothing beside it']
      : []),
  ]
}

const SHOWN = 16

const nameAll = (found: readonly FoundDevice[]): string => {
  const ids = found.map(({ deviceId }) => deviceId)
  const more = ids.length - SHOWN
  return ids.slice(0, SHOWN).join(', ') + (more > 0 ? ` and ${more} more` : '')
}
