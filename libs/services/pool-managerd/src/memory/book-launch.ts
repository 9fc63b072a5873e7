import type { CrashReport } from '@berth/supervision'
import type { LaunchEnv, LaunchRequest } from '../engine/launch-instance.ts'
import type { MemoryLoad } from './memory-load.ts'

/**
 * Books the memory of an engine that is about to start, or says why it is not to be had. Waits for
 * memory that others have not given back. Rejects with what a driver's plan throws.
 */
export const bookLaunch = async (
  request: LaunchRequest,
  engineVersion: string | undefined,
  { memory }: LaunchEnv,
): Promise<CrashReport | undefined> => {
  if (!request.spec.policy.hasProcess) return undefined
  try {
    return await memory?.book(loadOf(request, engineVersion), request)
  } catch (error) {
    if (request.signal?.aborted) return NOT_WANTED
    throw error
  }
}

const NOT_WANTED: CrashReport = {
  ...{ kind: 'stopped', message: 'It was stopped while it waited for memory.', isRetriable: true },
}

/** An engine and its model as the ledger knows them. */
export const loadOf = (
  { spec, driver, instanceId, model }: LaunchRequest,
  engineVersion = '',
): MemoryLoad => ({ entryId: instanceId, spec, driver, facts: model?.facts, engineVersion })
