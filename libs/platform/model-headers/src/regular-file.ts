import { constants } from 'node:fs'
import { open, stat } from 'node:fs/promises'
import { HeaderFault } from './header-fault.ts'

/** The size of a file; throws a `HeaderFault` for what is none: a pipe, a device, a folder. */
export const regularSize = async (path: string): Promise<number> => {
  const found = await stat(path).catch((error: unknown) => {
    throw new HeaderFault(path, `it cannot be read (${codeOf(error)})`)
  })
  if (!found.isFile()) throw new HeaderFault(path, 'it is not a file')
  return found.size
}

/** Bytes `start` up to, and not with, `end` of a file; fewer where it ends. */
export const readRange = async (path: string, start: number, end: number): Promise<Buffer> => {
  // A pipe without a writer would keep the opener waiting.
  await using file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK)
  if (!(await file.stat()).isFile()) throw new HeaderFault(path, 'it is not a file')
  const bytes = Buffer.alloc(Math.max(0, end - start))
  const { bytesRead } = await file.read(bytes, 0, bytes.length, start)
  return bytes.subarray(0, bytesRead)
}

/** Such as `ENOENT`. */
export const codeOf = (error: unknown): string =>
  Error.isError(error) && 'code' in error && typeof error.code === 'string'
    ? error.code
    : 'unknown error'
