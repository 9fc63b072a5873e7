import { access, constants, stat, statfs } from 'node:fs/promises'
import { createServer } from 'node:net'
import { dirname, join } from 'node:path'
import type { FoundDevice } from '@berth/devices'
import { messageOf } from '@berth/kernel'
import { findPortHolder, listen } from '@berth/runtime'
import { fail, ok, warn, type CheckLine } from './check-line.ts'

const GIB = 2 ** 30

/** Every device with its driver, or what is wrong with it. */
export const checkDevices = (devices: readonly FoundDevice[]): CheckLine[] => {
  const lines = devices.map((device) => {
    const { deviceId, name, fault, driverVersion, memoryTotalBytes: total } = device
    const check = deviceId === 'cpu' ? 'cpu' : `GPU ${deviceId}`
    const memory = total === undefined ? 'memory not known' : `${(total / GIB).toFixed(1)} GiB`
    const driver = driverVersion === undefined ? '' : `, driver ${driverVersion}`
    const cores = device.cores > 0 ? `, ${device.cores} cores` : ''
    return fault
      ? fail(check, `${name} cannot be used`, fault.message)
      : ok(check, `${name || 'processor'}, ${memory}${cores}${driver}`)
  })
  return lines.length > 1 ? lines : [...lines, ok('GPUs', 'none: pools run on the processor')]
}

/** A door of the agent, where it would listen. */
export interface Door {
  /** As in the settings: `grpc_port`. */
  readonly setting: string
  readonly host: string
  readonly port: number
}

/** Whether the agent could listen there; by trying, so that nobody is asked. */
export const checkPort = async (door: Door, agentPid: number | undefined): Promise<CheckLine> => {
  const { setting, host, port } = door
  const check = `port ${setting.replace('_port', '')}`
  if (port === 0) return ok(check, 'the system chooses a free one')
  if (agentPid !== undefined && findPortHolder(port)?.pid === agentPid)
    return ok(check, `${host}:${port}, the agent that runs (pid ${agentPid}) has it`)
  const server = createServer()
  try {
    await listen(server, { ...door, what: 'the agent' })
    return ok(check, `${host}:${port} is free`)
  } catch (error) {
    return fail(check, messageOf(error), `Free it, or set ${setting}.`)
  } finally {
    server.close()
  }
}

const FULL_BYTES = 100 * 2 ** 20
const LOW_BYTES = GIB

/** Room on the disk of a folder that is there, or is to be made. */
export const checkDisk = async (what: string, folder: string): Promise<CheckLine> => {
  const check = `disk of ${what}`
  const place = await nearest(folder)
  const { bavail, bsize } = await statfs(place)
  const free = bavail * bsize
  const message = `${(free / GIB).toFixed(1)} GiB free at ${place}`
  if (free < FULL_BYTES) return fail(check, message, 'Free some: nothing can be written.')
  return free < LOW_BYTES
    ? warn(check, message, 'Free some before logs fill it.')
    : ok(check, message)
}

/** Whether the agent may write its records, and nobody else read the keys in them. */
export const checkStateDir = async (folder: string): Promise<CheckLine> => {
  const check = 'state directory'
  const place = await nearest(folder)
  const isNew = place !== folder
  try {
    await access(place, constants.R_OK | constants.W_OK | constants.X_OK)
  } catch (error) {
    const advice = `Make it with the rights of the agent: install -d -m 750 ${folder}`
    return fail(check, messageOf(error), advice)
  }
  const open = await openRecord(folder)
  if (open !== undefined)
    return fail(check, `${open} can be read by others`, `Keep it to the agent: chmod 600 ${open}`)
  return ok(check, isNew ? `${folder} will be made in ${place}` : `${folder} may be written`)
}

/** The journal holds the keys of the engines. */
const openRecord = async (folder: string): Promise<string | undefined> => {
  const path = join(folder, 'instances.json')
  const mode = await stat(path).then(
    (entry) => entry.mode,
    () => 0,
  )
  return (mode & 0o077) === 0 ? undefined : path
}

/** The folder, or the first above it that is there. */
const nearest = async (folder: string): Promise<string> => {
  const isThere = await stat(folder).then(
    (entry) => entry.isDirectory(),
    () => false,
  )
  return isThere || dirname(folder) === folder ? folder : nearest(dirname(folder))
}
