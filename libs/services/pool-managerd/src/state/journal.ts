import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { messageOf } from '@berth/kernel'
import type { Logger } from '@berth/runtime'
import { z } from 'zod'
import { writeAtomically } from './write-atomically.ts'

const entrySchema = z.object({
  poolId: z.string(),
  /** Also in the environment of the process, as `BERTH_INSTANCE_ID`. */
  instanceId: z.string(),
  /** What of the pool the engine was started with. */
  specHash: z.string().optional(),
  /** Absent while the process is being made. */
  process: z
    .object({
      pid: z.number(),
      startTime: z.string(),
      argvHash: z.string(),
      port: z.number(),
      bootId: z.string(),
      /** The engine's own key: the file is for nobody but the agent. */
      apiKey: z.string(),
      /** Unix milliseconds. */
      upSinceMs: z.number(),
    })
    .optional(),
})

/** An engine process this agent made, or was about to make. */
export type JournalEntry = z.infer<typeof entrySchema>

/** What is known of an engine process once it runs. */
export type JournalProcess = NonNullable<JournalEntry['process']>

/**
 * Which engine processes are ours, on disk: the intent before a spawn, the process after it. A
 * later life of the agent takes them over, or ends what an earlier one could not.
 */
export interface Journal {
  intend(poolId: string, instanceId: string, specHash: string): Promise<void>
  record(instanceId: string, process: Omit<JournalProcess, 'bootId'>): Promise<void>
  forget(instanceId: string): Promise<void>
}

/** Opens the journal with what is taken over of an earlier life, and drops the rest. */
export const createJournal = async (
  stateDir: string,
  { bootId, kept }: { readonly bootId: string; readonly kept: readonly JournalEntry[] },
): Promise<Journal> => {
  const path = pathOf(stateDir)
  const entries = new Map(kept.map((entry) => [entry.instanceId, entry]))
  let writing = Promise.resolve()
  // Writes in order, one at a time; a failed one fails its caller, not those after it.
  const save = (): Promise<void> => {
    const written = writing.then(() => writeAtomically(path, JSON.stringify([...entries.values()])))
    writing = written.catch(() => undefined)
    return written
  }
  await save()
  return {
    intend: (poolId, instanceId, specHash) => {
      entries.set(instanceId, { poolId, instanceId, specHash })
      return save()
    },
    record: (instanceId, process) => {
      const entry = entries.get(instanceId)
      if (entry) entries.set(instanceId, { ...entry, process: { ...process, bootId } })
      return save()
    },
    forget: (instanceId) => {
      entries.delete(instanceId)
      return save()
    },
  }
}

/** What the last life of the agent left in the journal. An unreadable one is told and empty. */
export const readJournal = async (stateDir: string, log: Logger): Promise<JournalEntry[]> => {
  try {
    return z.array(entrySchema).parse(JSON.parse(await readFile(pathOf(stateDir), 'utf8')))
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT')
      log.warn({ error: messageOf(error) }, 'instance journal is not readable')
    return []
  }
}

const pathOf = (stateDir: string) => join(stateDir, 'instances.json')
