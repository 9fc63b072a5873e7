import { constants, open, read, close } from 'node:fs'
import { messageOf } from '@berth/kernel'
import type { Logger } from '@berth/runtime'

/** New records of the kernel log, as a port. */
export interface KernelLog extends Disposable {
  /** Records since the last call, oldest first, at most some thousands. */
  read(): Promise<readonly string[]>
}

const PATH = '/dev/kmsg'
const RECORD_MAX_BYTES = 8_192
const RECORDS_MAX = 10_000

/** Where the kernel log may not be read (it takes root, or CAP_SYSLOG), faults show elsewhere. */
const NO_LOG: KernelLog = { read: () => Promise.resolve([]), [Symbol.dispose]: () => undefined }

/**
 * The kernel log from now on. Reading it never waits: each read gives one record, and an error
 * where there is none. What was there before is read over.
 */
export const openKernelLog = async (log: Logger, path = PATH): Promise<KernelLog> => {
  const opened = await openFile(path)
  if (opened.kind === 'refused') {
    log.info({ path, error: opened.error }, 'kernel log is not readable: Xid errors are not seen')
    return NO_LOG
  }
  const { fd } = opened
  let isClosed = false
  let reading: Promise<readonly string[]> = Promise.resolve([])
  const kernelLog: KernelLog = {
    read: () => (reading = reading.then(() => (isClosed ? [] : drain(fd)))),
    [Symbol.dispose]: () => {
      isClosed = true
      void reading.then(() => close(fd))
    },
  }
  await kernelLog.read()
  return kernelLog
}

const openFile = (path: string) =>
  new Promise<{ kind: 'open'; fd: number } | { kind: 'refused'; error: string }>((resolve) =>
    open(path, constants.O_RDONLY | constants.O_NONBLOCK, (error, fd) =>
      resolve(error ? { kind: 'refused', error: messageOf(error) } : { kind: 'open', fd }),
    ),
  )

const drain = async (fd: number): Promise<readonly string[]> => {
  const records: string[] = []
  const buffer = Buffer.alloc(RECORD_MAX_BYTES)
  for (let count = 0; count < RECORDS_MAX; count++) {
    const result = await readRecord(fd, buffer)
    // EPIPE: records were overwritten before they were read, and the next read goes on.
    if (result === 'EPIPE') continue
    if (typeof result === 'string' || result === 0) break
    records.push(buffer.toString('utf8', 0, result))
  }
  return records
}

const readRecord = (fd: number, buffer: Buffer) =>
  new Promise<number | string>((resolve) =>
    read(fd, buffer, 0, buffer.length, null, (error, bytes) =>
      resolve(error ? (error.code ?? 'EIO') : bytes),
    ),
  )
