import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { parseModelRef } from '../ref/parse-model-ref.ts'
import type { StoreParts } from '../store-parts.ts'
import { findStored } from './find-stored.ts'
import { manifestKey } from './manifest-folder.ts'

const MAX_REPOSITORIES = 1_000

/**
 * Notes the complete snapshots that were carried into the store and that no model is known of, so
 * that they are listed and can be removed. What does not look like a repository is left alone.
 */
export const adoptCarried = async (parts: StoreParts): Promise<void> => {
  const known = new Set((await parts.manifests.all()).map(([, { revision }]) => revision))
  for (const name of await namesIn(parts.paths.hubDir)) {
    const [, owner, repository] = /^models--((?:(?!--).)+)--((?:(?!--).)+)$/.exec(name) ?? []
    if (owner === undefined || repository === undefined) continue
    for (const commit of await namesIn(join(parts.paths.hubDir, name, 'snapshots'))) {
      if (known.has(commit) || !/^[0-9a-f]{40}$/.test(commit)) continue
      await adopt(parts, `hf:${owner}/${repository}@${commit}`)
    }
  }
}

const adopt = async (parts: StoreParts, ref: string): Promise<void> => {
  const options = { want: 'snapshot' } as const
  try {
    const parsed = parseModelRef(ref)
    await findStored(parts, { ref, parsed, key: manifestKey(parsed.canonical, options), options })
  } catch (error) {
    parts.log.warn({ err: error, ref }, 'a folder of the model store cannot be read')
  }
}

const namesIn = async (folder: string): Promise<readonly string[]> =>
  (await readdir(folder).catch((): string[] => [])).slice(0, MAX_REPOSITORIES)
