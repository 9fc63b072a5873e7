import { closeSync, constants, openSync, readSync } from 'node:fs'

const PATH = '/dev/kmsg'
const RECORD_MAX_BYTES = 8_192
const RECORDS_MAX = 20_000

/**
 * What the kernel said when it killed a process for want of memory; `undefined` when it did not,
 * or when its log may not be read (that takes root, or CAP_SYSLOG).
 */
export const readOomRecord = (pid: number): string | undefined => findOomRecord(pid, records(PATH))

/** Source: `mm/oom_kill.c`: "Out of memory: Killed process 123 (python3) total-vm:...". */
export const findOomRecord = (pid: number, log: Iterable<string>): string | undefined => {
  let found: string | undefined
  for (const record of log) {
    if (record.includes(`Killed process ${pid} (`) && /out of memory/i.test(record))
      found = record.replace(/^[^;]*;/, '').split('\n')[0]
  }
  return found
}

/** Reading never waits: each read gives one record, and an error where there is none. */
function* records(path: string): Generator<string> {
  let fd: number
  try {
    fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK)
  } catch {
    // Not ours to read: then nobody knows.
    return
  }
  try {
    const buffer = Buffer.alloc(RECORD_MAX_BYTES)
    for (let count = 0; count < RECORDS_MAX; count++) {
      const bytes = readOne(fd, buffer)
      if (bytes === 0) return
      if (bytes > 0) yield buffer.toString('utf8', 0, bytes)
    }
  } finally {
    closeSync(fd)
  }
}

/** 0 at the end; below it when records were overwritten before they were read. */
const readOne = (fd: number, buffer: Buffer): number => {
  try {
    return readSync(fd, buffer)
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPIPE' ? -1 : 0
  }
}
