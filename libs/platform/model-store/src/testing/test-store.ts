import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createSilentLogger, systemClock } from '@berth/runtime'
import { createModelStore } from '../create-model-store.ts'
import type { ModelStore } from '../model-store.ts'
import type { ModelStoreOptions } from '../store-options.ts'
import type { TestServer } from './start-server.ts'

/** A store in a folder of its own that may ask these servers. */
export interface TestStore extends ModelStore {
  /** Closes it and removes its folder. */
  dispose(): Promise<void>
}

/** Creates one with short waits; `options` win. A given `root` is kept by `dispose`. */
export const createTestStore = async (
  servers: readonly TestServer[],
  options: Partial<ModelStoreOptions> = {},
): Promise<TestStore> => {
  const root = options.root ?? (await mkdtemp(join(tmpdir(), 'berth-store-')))
  const store = createModelStore({
    ...{ clock: systemClock(), log: createSilentLogger(), headroomBytes: 0 },
    ...{ retry: { maxFailures: 3, firstDelayMs: 5 }, silenceMs: 5_000 },
    egress: { privateHosts: servers.map(({ origin }) => origin), hasDefaults: false },
    ...options,
    root,
  })
  return {
    ...store,
    dispose: async () => {
      await store.close()
      if (options.root === undefined) await rm(root, { recursive: true, force: true })
    },
  }
}
