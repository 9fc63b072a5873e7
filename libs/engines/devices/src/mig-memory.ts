import { memoryOf, mibToBytes, readNumber, readWhole } from './cell.ts'

/** Memory of one slice, as its GPU reports it. */
export interface SliceMemory {
  readonly gpuUuid: string
  readonly index: number
  readonly memoryTotalBytes?: number
  readonly memoryFreeBytes?: number
}

const XML_MAX_CHARS = 8_388_608

/** Reads the memory of MIG slices from `nvidia-smi -q -x`, the only place where it stands. */
export const readMigMemory = (xml: string): SliceMemory[] =>
  split(xml.slice(0, XML_MAX_CHARS), 'gpu').flatMap((gpu) => {
    const gpuUuid = /<uuid>\s*(GPU-[\w-]{1,80})\s*<\/uuid>/i.exec(gpu)?.[1]
    if (gpuUuid === undefined) return []
    return split(gpu, 'mig_device').flatMap((slice) => {
      const index = readWhole(valueOf(slice, 'index'), 4_095)
      const [memory = ''] = split(slice, 'fb_memory_usage')
      const total = mibToBytes(readNumber(valueOf(memory, 'total')))
      const free = mibToBytes(readNumber(valueOf(memory, 'free')))
      return index === undefined ? [] : [{ gpuUuid, index, ...memoryOf(total, free) }]
    })
  })

/**
 * What the name of a profile promises (`1g.10gb`: 10 GB). A slice has up to a tenth more or less:
 * only for drivers that do not tell.
 */
export const memoryOfProfile = (profile: string): number | undefined => {
  const [, gigabytes] = /\.(\d{1,4})gb/i.exec(profile) ?? []
  return gigabytes === undefined ? undefined : Number(gigabytes) * 1e9
}

/** The insides of every element of a name; the elements asked for never nest in themselves. */
const split = (xml: string, name: string): string[] => {
  const insides: string[] = []
  const start = new RegExp(`<${name}(?:\\s[^<>]{0,200})?>`, 'g')
  for (let found = start.exec(xml); found; found = start.exec(xml)) {
    const end = xml.indexOf(`</${name}>`, start.lastIndex)
    if (end < 0) break
    insides.push(xml.slice(start.lastIndex, end))
    start.lastIndex = end
  }
  return insides
}

const valueOf = (xml: string, name: string): string | undefined => {
  const [inside] = split(xml, name)
  return inside?.trim()
}
