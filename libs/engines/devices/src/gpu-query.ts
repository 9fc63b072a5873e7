import { hasNone, memoryOf, mibToBytes, nameOf, readNumber, readWhole } from './cell.ts'
import type { DeviceFault } from './device.ts'
import { faultOfRow } from './row-fault.ts'
import { readTable, type TableRow } from './read-table.ts'

/** Fields every driver knows, and without which a GPU is not one. */
const NEEDED = ['index', 'uuid', 'name', 'memory.total', 'memory.free'] as const

/** Fields that some drivers do not know: one of them fails the whole query. */
const WANTED = [
  'utilization.gpu',
  'temperature.gpu',
  'compute_cap',
  'mig.mode.current',
  'driver_version',
  'pstate',
  'pci.bus_id',
  'ecc.errors.uncorrected.volatile.total',
  'gpu_recovery_action',
] as const

/** What to ask of `nvidia-smi --query-gpu`, as of driver 590. */
export const GPU_FIELDS: readonly string[] = [...NEEDED, ...WANTED]

/** One GPU as `nvidia-smi --query-gpu` shows it. What it cannot tell is absent. */
export interface GpuReading {
  readonly index: number
  readonly uuid: string
  readonly name: string
  readonly memoryTotalBytes?: number
  readonly memoryFreeBytes?: number
  /** It has no memory of its own but uses that of the host (GB10, Jetson). */
  readonly sharesHostMemory: boolean
  readonly utilizationPercent?: number
  readonly temperatureC?: number
  /** Such as 8.9; empty when the driver does not say. */
  readonly computeCapability: string
  readonly isPartitioned: boolean
  readonly driverVersion?: string
  /** `P0` (fastest) to `P15`. */
  readonly performanceState?: string
  readonly pciBusId?: string
  /** What the driver wants done: `None`, `Reset`, `Reboot`, ... Absent on drivers before 555. */
  readonly recoveryAction?: string
  readonly fault?: DeviceFault
}

/** The command line that asks for `fields`, of all GPUs or of those named. */
export const gpuQueryArgs = (
  fields: readonly string[],
  uuids: readonly string[] = [],
): string[] => [
  `--query-gpu=${fields.join(',')}`,
  '--format=csv,noheader,nounits',
  ...(uuids.length === 0 ? [] : [`--id=${uuids.join(',')}`]),
]

/**
 * The field that this driver does not know, of those that can be done without. Text of drivers
 * since at least 418: `Field "compute_cap" is not a valid field to query.`
 */
export const readUnknownField = (text: string): string | undefined => {
  const [, field] = /Field "([\w.]{1,80})" is not a valid field to query/.exec(text) ?? []
  return WANTED.find((wanted) => wanted === field)
}

/** The GPUs of an answer to `gpuQueryArgs(fields)`; an answer with a header and units reads too. */
export const readGpus = (text: string, fields: readonly string[] = GPU_FIELDS): GpuReading[] =>
  readTable(text, fields).flatMap((row) => {
    const index = readWhole(row['index'], 4_095)
    const uuid = row['uuid'] ?? ''
    return index === undefined || !/^GPU-[\w-]{1,80}$/i.test(uuid)
      ? []
      : [toReading(row, index, uuid)]
  })

const toReading = (row: TableRow, index: number, uuid: string): GpuReading => {
  const fault = faultOfRow(row)
  return {
    index,
    uuid,
    name: nameOf(row['name'], 'NVIDIA GPU'),
    ...memory(row),
    sharesHostMemory: hasNone(row['memory.total']),
    ...known('utilizationPercent', readWhole(row['utilization.gpu'], 100)),
    ...known('temperatureC', readWhole(row['temperature.gpu'], 250)),
    computeCapability: /^\d{1,2}\.\d{1,2}$/.exec(row['compute_cap'] ?? '')?.[0] ?? '',
    isPartitioned: /^enabled$/i.test(row['mig.mode.current'] ?? ''),
    ...known('driverVersion', /^\d[\w.-]{0,40}$/.exec(row['driver_version'] ?? '')?.[0]),
    ...known('performanceState', /^P\d{1,2}$/.exec(row['pstate'] ?? '')?.[0]),
    ...known('pciBusId', readBusId(row['pci.bus_id'] ?? '')),
    ...known('recoveryAction', recoveryAction(row['gpu_recovery_action'])),
    ...known('fault', fault),
  }
}

const memory = (row: TableRow) => {
  const total = readNumber(row['memory.total'])
  const used = readNumber(row['memory.used'])
  const free = readNumber(row['memory.free'])
  const left = total !== undefined && used !== undefined ? total - used : undefined
  return memoryOf(mibToBytes(total), mibToBytes(free ?? left))
}

const recoveryAction = (cell: string | undefined): string | undefined =>
  /^[A-Z][A-Za-z ]{0,40}$/.exec(cell ?? '')?.[0]

const known = <K extends string, V>(key: K, value: V | undefined) =>
  (value === undefined ? {} : { [key]: value }) as { readonly [P in K]?: V }

/** The bus id as the kernel log names it: domain of four digits, no function, small letters. */
export const readBusId = (text: string): string | undefined => {
  const [, domain = '', bus = ''] =
    /(?:^|[^\da-f])((?:[\da-f]{4}){1,2}):([\da-f]{2}:[\da-f]{2})(?:\.\d)?(?![\da-f])/i.exec(text) ??
    []
  return bus === '' ? undefined : `${domain.slice(-4)}:${bus}`.toLowerCase()
}
