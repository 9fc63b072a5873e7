import { sleep, type Clock } from '@berth/kernel'
import type { CrashReport, EngineAccess, ModelCalls } from '@berth/supervision'
import { callEngine } from './call-engine.ts'
import type { DeviceMemory } from './device-memory.ts'
import { drainModel, type Drain, type DrainOptions } from './drain-model.ts'
import { CANCELLED } from './load-model.ts'
import { failureOf, type JobFailure } from './model-job.ts'

type Access = Pick<EngineAccess, 'baseUrl' | 'headers'>

export interface UnloadSurroundings {
  readonly calls: ModelCalls
  readonly clock: Clock
  readonly signal: AbortSignal
  readonly isResident: () => Promise<boolean | undefined>
  /** What the model took of the GPUs; 0 when that is not known. */
  readonly gpuBytes: () => number
  /** Absent: nobody measures it. */
  readonly memory?: DeviceMemory | undefined
  /** The engine let go of it, and its memory was not seen to be free. */
  onMemoryHeld(facts: Readonly<Record<string, number>>): void
}

const GONE_MS = 30_000
const GONE_POLL_MS = 100

export interface DrainSurroundings extends UnloadSurroundings, Omit<DrainOptions, 'signal'> {
  /** The engine as it is now; `undefined` once it is gone. */
  readonly access: () => Access | undefined
  onStep(leaving: 'draining' | 'unloading'): void
}

/** Lets the requests of a model end, then takes it out of the memory of its engine. */
export const drainAndUnload = async (
  modelId: string,
  drain: Drain,
  on: DrainSurroundings,
): Promise<JobFailure | undefined> => {
  on.onStep('draining')
  const activeRequests = await drainModel(drain, on)
  if (activeRequests > 0)
    return { ...failureOf(`${activeRequests} requests of ${modelId} go on.`), activeRequests }
  const access = on.access()
  if (!access || on.signal.aborted) return failureOf('Its engine ended meanwhile.')
  on.onStep('unloading')
  const report = await unloadModel(modelId, access, on)
  return report && { report }
}

/**
 * Takes a model out of the memory of an engine. `undefined`: the engine lists it no more. Where
 * devices tell, it is waited for their memory as well.
 */
export const unloadModel = async (
  modelId: string,
  access: Access,
  on: UnloadSurroundings,
): Promise<CrashReport | undefined> => {
  const { calls, clock, signal } = on
  const gpuBytes = on.gpuBytes()
  const freeBefore = gpuBytes > 0 ? await on.memory?.measure() : undefined
  const readLine = (line: string, status: number) => calls.readLine(line, status)
  const end = await callEngine(access, calls.unload(modelId), { clock, signal, readLine })
  // A model that is not there is what was wanted, whatever the engine says of it.
  const isGone = await untilGone(on)
  if (signal.aborted) return CANCELLED
  if (!isGone) return stillThere(modelId, end.kind === 'failed' ? end.report.message : '', on)
  if (freeBefore !== undefined) await untilFree({ freeBefore, gpuBytes }, on)
  return undefined
}

const untilGone = async ({ clock, signal, isResident }: UnloadSurroundings): Promise<boolean> => {
  const deadline = clock.now() + GONE_MS
  while (!signal.aborted) {
    if ((await isResident()) === false) return true
    if (clock.now() >= deadline) return false
    await sleep(clock, GONE_POLL_MS, signal).catch(() => undefined)
  }
  return false
}

const stillThere = (modelId: string, said: string, { calls }: UnloadSurroundings): CrashReport => ({
  kind: 'unhealthy',
  message:
    `The engine was asked to let go of model ${modelId}, and ${calls.residentPath} does not show ` +
    `after ${GONE_MS / 1_000} s that it did. ${said}`.trim(),
  isRetriable: true,
})

/** A driver frees what a process gave back a moment later; some of it may go to another. */
const FREED_SHARE = 0.8
const FREE_MS = 10_000
const FREE_POLL_MS = 500

const untilFree = async (
  { freeBefore, gpuBytes }: { readonly freeBefore: number; readonly gpuBytes: number },
  { clock, signal, memory, onMemoryHeld }: UnloadSurroundings,
): Promise<void> => {
  const wanted = freeBefore + FREED_SHARE * gpuBytes
  const deadline = clock.now() + FREE_MS
  let free: number | undefined
  while (!signal.aborted) {
    free = await memory?.measure()
    if (free === undefined || free >= wanted) return
    if (clock.now() >= deadline) break
    await sleep(clock, FREE_POLL_MS, signal).catch(() => undefined)
  }
  onMemoryHeld({ free_bytes: free ?? 0, free_before_bytes: freeBefore, model_bytes: gpuBytes })
}
