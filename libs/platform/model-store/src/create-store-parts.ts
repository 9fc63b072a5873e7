import { chmodSync, mkdirSync } from 'node:fs'
import { isAbsolute } from 'node:path'
import { BerthError } from '@berth/kernel'
import { createManifestFolder } from './disk/manifest-folder.ts'
import { createStorePaths } from './disk/store-paths.ts'
import { createDiskRoom } from './download/disk-room.ts'
import { createTurns } from './download/turns.ts'
import { resolveWithSystem } from './egress/guard-lookup.ts'
import { readHostRules } from './egress/host-rules.ts'
import { createHttpGet } from './egress/http-get.ts'
import { readHubEndpoint, readHubToken } from './source/hub-token.ts'
import type { SourceDeps } from './source/source.ts'
import {
  DEFAULT_ANSWER_MS,
  DEFAULT_HEADROOM_BYTES,
  DEFAULT_MAX_CONCURRENT,
  DEFAULT_RETRY,
  DEFAULT_SILENCE_MS,
  type ModelStoreOptions,
} from './store-options.ts'
import type { StoreParts } from './store-parts.ts'

/** Makes the folders and the pieces of a store. `onShort` is asked to free so many bytes. */
export const createStoreParts = (
  options: ModelStoreOptions,
  onShort: (needBytes: number) => Promise<boolean>,
): StoreParts => {
  const { root, clock, log, env = {} } = options
  if (!isAbsolute(root))
    throw new BerthError('CONFIG_INVALID', 'The folder of the model store has to be absolute.')
  const paths = createStorePaths(root)
  for (const folder of [paths.hubDir, paths.manifestsDir, paths.claimsDir]) {
    mkdirSync(folder, { recursive: true })
    // Engines of other users read them, whatever the umask.
    chmodSync(folder, 0o755)
  }
  chmodSync(root, 0o755)
  const silenceMs = options.silenceMs ?? DEFAULT_SILENCE_MS
  const hubEndpoint = readHubEndpoint(env)
  const { egress = {}, answerMs = DEFAULT_ANSWER_MS, resolve = resolveWithSystem } = options
  // Whoever names an endpoint means it to be asked; http and private addresses stay with `egress`.
  const hosts = [...(egress.hosts ?? []), ...(env.HF_ENDPOINT ? [new URL(hubEndpoint).host] : [])]
  const rules = readHostRules({ ...egress, hosts })
  const headroomBytes = options.headroomBytes ?? DEFAULT_HEADROOM_BYTES
  const source: SourceDeps = {
    get: createHttpGet({ rules, resolve, clock, answerMs }),
    ...{ rules, clock, silenceMs, hubEndpoint, hubToken: () => readHubToken(env) },
    credentialsOf: (host) => options.credentialsOf?.(host),
  }
  return {
    ...{ paths, manifests: createManifestFolder(paths), clock, log, silenceMs, source },
    room: createDiskRoom({ root, headroomBytes, onShort }),
    turns: createTurns(options.maxConcurrent ?? DEFAULT_MAX_CONCURRENT),
    retry: options.retry ?? DEFAULT_RETRY,
  }
}
