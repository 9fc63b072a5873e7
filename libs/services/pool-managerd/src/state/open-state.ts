import type { Scope } from '@berth/runtime'
import { openModelDigests } from '../engine/model-digests.ts'
import { openModelFiles, type OpenModelFilesOptions } from '../model-files/open-model-files.ts'
import { openLoadTimes } from './load-times.ts'
import { openPerformanceStore } from './performance-store.ts'
import { openPoolIntents } from './pool-intents.ts'
import { openPoolModels } from './pool-models.ts'
import { openWantedModels } from './wanted-models.ts'

/** Everything that earlier lives of the agent have left for this one, but its engines. */
export const openState = async (
  stateDir: string,
  means: Omit<OpenModelFilesOptions, 'stateDir'> & { readonly scope: Scope },
) => {
  const { scope, clock, log } = means
  return {
    models: await openPoolModels(stateDir, log),
    intents: await openPoolIntents(stateDir, log),
    wantedModels: await openWantedModels(stateDir, log),
    digests: await openModelDigests(stateDir, log),
    loadTimes: scope.use(await openLoadTimes(stateDir, { clock, log })),
    performance: scope.use(await openPerformanceStore(stateDir, { clock, log })),
    modelFiles: scope.use(openModelFiles({ ...means, stateDir })),
  }
}
