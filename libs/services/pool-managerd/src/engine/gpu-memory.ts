import { sleep } from '@berth/kernel'
import type { PoolSpec } from '../pools-file/pool-spec.ts'
import { pidsOfGroup } from '../state/process-scan.ts'
import type { LaunchEnv } from './launch-instance.ts'
import { machineOf } from './machine.ts'

/** Freeing 80 GB takes a driver a second or two; a process it cannot end keeps its memory. */
const MEMORY_WAIT_MS = 10_000
const MEMORY_POLL_MS = 250

/** The GPU memory of an engine, from its first process to the last. */
export interface GpuMemory {
  /** Remembers who is in the group, or carries the mark, now: the dead cannot be asked. */
  note(): void
  /** Resolves when none of those holds memory any more, or nobody can tell. */
  untilFree(signal: AbortSignal): Promise<void>
}

/**
 * The driver may hold memory of a process that has ended. The next engine on the device would
 * find too little, so that the end of one is only told when the GPU shows none of it.
 */
export const gpuMemoryOf = (
  { devices: mask }: PoolSpec,
  { group, instanceId }: { readonly group: number; readonly instanceId: string },
  env: Pick<LaunchEnv, 'devices' | 'clock' | 'machine'>,
): GpuMemory => {
  const { devices, clock } = env
  if (!devices || mask.every((device) => device === 'cpu')) return NO_MEMORY
  const pids = new Set([group])
  const isHeld = async () => (await devices.processes())?.some(({ pid }) => pids.has(pid)) === true
  return {
    note: () => {
      for (const pid of pidsOfGroup(group)) pids.add(pid)
      for (const { pid } of machineOf(env).findTree(instanceId)) pids.add(pid)
    },
    untilFree: async (signal) => {
      const deadline = clock.now() + MEMORY_WAIT_MS
      while (clock.now() < deadline && (await isHeld())) await sleep(clock, MEMORY_POLL_MS, signal)
    },
  }
}

const NO_MEMORY: GpuMemory = { note: () => undefined, untilFree: () => Promise.resolve() }
