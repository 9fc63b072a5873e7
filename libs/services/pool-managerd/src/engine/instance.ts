import type { EngineAccess } from '@berth/supervision'

/** A running engine, or the way to one that somebody else runs. */
export interface Instance {
  readonly instanceId: string
  readonly access: EngineAccess
  /** 0 when it is no process of ours. */
  readonly pid: number
  /** Unix milliseconds. */
  readonly upSinceMs: number
  signal(signal: 'SIGTERM' | 'SIGKILL'): void
  /** Resolves when its whole process group is dead and its port free, or when given up. */
  gone(signal: AbortSignal): Promise<void>
  /** Stops watching it and lets it run on, for the next life of the agent. */
  release(): Promise<void>
}
