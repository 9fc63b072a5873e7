import { statSync } from 'node:fs'
import { BerthError, messageOf } from '@berth/kernel'
import { listProblems, readYamlFile } from '@berth/runtime'
import { keyFileSchema } from './key-file-schema.ts'
import { createKeyRing, type KeyRing } from './key-ring.ts'

/** 10,000 keys with all their limits are half of it. */
const FILE_BYTES_MAX = 8_388_608
const OTHERS_MAY_READ = 0o004

/** One reading of a key file. */
export interface KeyFile {
  readonly ring: KeyRing
  /** Others than its owner and group can read it. It holds no key, but says who may do what. */
  readonly isWorldReadable: boolean
}

/**
 * Reads a key file as a whole. Throws one `CONFIG_INVALID` that lists everything that is wrong
 * with it, each with its path; values are never shown.
 */
export const readKeyFile = (path: string): KeyFile => {
  const { size, mode } = look(path)
  if (size > FILE_BYTES_MAX) throw invalid([`${path}: is larger than ${FILE_BYTES_MAX} bytes`])
  const result = keyFileSchema.safeParse(readYamlFile(path) ?? {})
  if (!result.success) throw invalid(listProblems(result.error, `${path}: `))
  return {
    ring: createKeyRing(result.data.keys),
    isWorldReadable: (mode & OTHERS_MAY_READ) !== 0,
  }
}

const look = (path: string) => {
  try {
    return statSync(path)
  } catch (error) {
    throw new BerthError('CONFIG_INVALID', `Cannot read the key file: ${messageOf(error)}`, {
      cause: error,
    })
  }
}

const invalid = (problems: readonly string[]) =>
  new BerthError('CONFIG_INVALID', problems.join('\n'), { facts: { problems: problems.length } })
