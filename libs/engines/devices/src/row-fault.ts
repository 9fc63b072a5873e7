import type { DeviceFault } from './device.ts'
import { readWhole } from './cell.ts'
import type { TableRow } from './read-table.ts'

/**
 * What the row of a GPU says of its health. The driver's own word, where it has one
 * (`gpu_recovery_action`), goes before counted memory errors: a contained one needs nothing.
 */
export const faultOfRow = (row: TableRow): DeviceFault | undefined => {
  const cells = Object.entries(row)
    .filter(([column]) => column !== 'name')
    .map(([, cell]) => cell ?? '')
  if (cells.some((cell) => /requires reset/i.test(cell))) return NEEDS_RESET
  if (cells.some((cell) => /GPU is lost/i.test(cell))) return lost('one of its values')
  const action = (row['gpu_recovery_action'] ?? '').toLowerCase()
  if (action === 'reset') return NEEDS_RESET
  if (action === 'reboot') return NEEDS_REBOOT
  const ownFields = [row['memory.total'], row['memory.free'], row['temperature.gpu']]
  if (ownFields.some((cell) => /^\s*(?:\[?Unknown Error\]?|ERR!)\s*$/i.test(cell ?? '')))
    return UNREADABLE
  const errors = readWhole(row['ecc.errors.uncorrected.volatile.total'], Number.MAX_SAFE_INTEGER)
  const hasWord = action !== '' && !/n\/a|not supported/.test(action)
  return !hasWord && errors !== undefined && errors > 0 ? memoryError(errors) : undefined
}

/** The GPU left the bus. */
export const lost = (where: string): DeviceFault => ({
  kind: 'device_lost',
  message:
    `The GPU has left the bus: the driver cannot reach it (${where}). ` +
    'Reboot the host; if it comes back like this, look at its power, seating and temperature.',
})

const NEEDS_RESET: DeviceFault = {
  kind: 'needs_reset',
  message:
    'The driver says that this GPU needs a reset. Stop what runs on it, then ' +
    '`nvidia-smi --gpu-reset -i <uuid>`; if that is refused, reboot the host.',
}

const NEEDS_REBOOT: DeviceFault = {
  kind: 'needs_reboot',
  message: 'The driver says that this GPU works again only after a reboot. Reboot the host.',
}

const UNREADABLE: DeviceFault = {
  kind: 'device_lost',
  message:
    'The driver answers for this GPU with errors instead of values. ' +
    'See `dmesg | grep -i nvrm`; reset it with `nvidia-smi --gpu-reset -i <uuid>` or reboot.',
}

const memoryError = (count: number): DeviceFault => ({
  kind: 'memory_error',
  message:
    `${count} uncorrectable memory errors (ECC) since the driver was loaded. Stop what runs on ` +
    'this GPU and `nvidia-smi --gpu-reset -i <uuid>`; if they return, have it replaced.',
})
