import { messageOf, type Clock } from '@berth/kernel'
import type { Logger } from '@berth/runtime'
import type { EngineAccess, ListedModel, ModelCalls } from '@berth/supervision'
import type { AskProbe } from '../engine/ask-probe.ts'
import type { Look } from './fold-look.ts'

/** What an engine lists of its models, asked for one look after the other. */
export interface EngineLists {
  /** Resolves after `onLook` saw an answer that was asked for later than this call; false: none came. */
  look(): Promise<boolean>
  /** The next look asks for what is on disk as well, however new the last answer is. */
  askForFiles(): void
}

export interface EngineListsOptions {
  readonly calls: ModelCalls
  readonly clock: Clock
  readonly log: Logger
  readonly askProbe: AskProbe
  readonly signal: AbortSignal
  /** The engine to be asked; `undefined` while it is not up. */
  readonly engine: () => { readonly id: string; readonly access: EngineAccess } | undefined
  readonly onLook: (look: Look) => void
}

const LIST_TIMEOUT_MS = 5_000
/** The files in an engine's store change seldom. */
const FILES_MS = 60_000

export const createEngineLists = (options: EngineListsOptions): EngineLists => {
  const { calls, clock, log, askProbe, signal, engine, onLook } = options
  let looks = Promise.resolve(false)
  let filesDueAt = -Infinity

  const list = async (
    access: EngineAccess,
    path: string,
    read: (body: string) => readonly ListedModel[] | undefined,
  ) => {
    const response = await askProbe(access, { path, timeoutMs: LIST_TIMEOUT_MS }, signal)
    return response.kind === 'answer' && response.status === 200 ? read(response.body) : undefined
  }
  const lookNow = async (): Promise<boolean> => {
    const asked = engine()
    if (!asked) return false
    const { access } = asked
    const { onDiskPath } = calls
    const areFilesDue = onDiskPath !== undefined && clock.now() >= filesDueAt
    const [resident, onDisk] = await Promise.all([
      list(access, calls.residentPath, (body) => calls.readResident(body)),
      areFilesDue ? list(access, onDiskPath, (body) => calls.readOnDisk?.(body)) : undefined,
    ])
    if (engine()?.id !== asked.id || resident === undefined) return false
    if (onDisk) filesDueAt = clock.now() + FILES_MS
    onLook({ resident, onDisk })
    return true
  }
  const told = (error: unknown): false => {
    log.error({ error: messageOf(error) }, 'models of an engine cannot be read')
    return false
  }
  return {
    // One at a time, so that no old answer follows a new one.
    look: () => (looks = looks.then(() => lookNow().catch(told))),
    askForFiles: () => {
      filesDueAt = -Infinity
    },
  }
}
