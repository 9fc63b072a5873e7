import { join, resolve } from 'node:path'
import type { Clock } from '@berth/kernel'
import { createHeaderReader } from '@berth/model-headers'
import { factsFromConfig, factsFromGguf } from '@berth/model-files'
import { createModelStore } from '@berth/model-store'
import type { Logger } from '@berth/runtime'
import type { Settings } from '../settings.ts'
import type { Pool } from '../pool/pool.ts'
import type { ModelFiles } from './model-files.ts'
import { poolsNeeding } from './needed-by.ts'
import { openRegistryAuth } from './registry-auth.ts'

export interface OpenModelFilesOptions {
  readonly settings: Pick<
    Settings,
    | 'modelsDir'
    | 'offline'
    | 'egressAllow'
    | 'egressPrivate'
    | 'diskHeadroomBytes'
    | 'maxDownloads'
    | 'registryAuthFile'
  >
  readonly stateDir: string
  /** With the token of the Hub, if there is one. */
  readonly env: Readonly<Record<string, string | undefined>>
  readonly nodePath: string
  readonly clock: Clock
  readonly log: Logger
}

/** Disposing stops every download; what is there is gone on with by the next life. */
export interface OpenModelFiles extends ModelFiles, AsyncDisposable {}

/** The models of this host. Throws `CONFIG_INVALID` for a host or an endpoint that is none. */
export const openModelFiles = (options: OpenModelFilesOptions): OpenModelFiles => {
  const { settings, stateDir, env, nodePath, clock, log } = options
  let pools: ReadonlyMap<string, Pool> | undefined
  const store = createModelStore({
    root: resolve(settings.modelsDir ?? join(stateDir, 'models')),
    ...{ env, clock, log },
    egress: { hosts: settings.egressAllow, privateHosts: settings.egressPrivate },
    maxConcurrent: settings.maxDownloads,
    headroomBytes: settings.diskHeadroomBytes,
    isOffline: () => settings.offline,
    isInUse: ({ ref }) => pools === undefined || poolsNeeding(pools.values(), ref).length > 0,
    isCollecting: true,
    credentialsOf: openRegistryAuth(settings.registryAuthFile),
  })
  const headers = createHeaderReader({ nodePath })
  return {
    store,
    readFacts: async (path, signal) => {
      const header = await headers.read(path, signal ? { signal } : {})
      return header.kind === 'gguf' ? factsFromGguf(header) : factsFromConfig(header)
    },
    keepFor: (of) => {
      pools = of
    },
    [Symbol.asyncDispose]: () => store.close(),
  }
}
