import { BerthError } from '@berth/kernel'
import { diskFull, readDiskSizes } from '../download/disk-room.ts'

/** What a caller is told of an error of the system: a full disk, a folder that cannot be used. */
export const toStoreError = async (root: string, error: unknown): Promise<BerthError> => {
  if (error instanceof BerthError) return error
  const code = Error.isError(error) ? ((error as NodeJS.ErrnoException).code ?? '') : ''
  if (code === 'ENOSPC' || code === 'EDQUOT') {
    const { freeBytes } = await readDiskSizes(root)
    return diskFull(freeBytes + 1, freeBytes, error)
  }
  return new BerthError(
    'INTERNAL',
    code === ''
      ? 'The model store failed. The log of the agent has the cause.'
      : `The model store at ${root} cannot be used (${code}). Check that the agent may read and write it.`,
    { cause: error },
  )
}
