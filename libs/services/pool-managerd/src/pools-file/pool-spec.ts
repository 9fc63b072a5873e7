import type { EngineSpec, SupervisionPolicy } from '@berth/supervision'
import type { ContainerRuntime } from '../engine/container-argv.ts'
import type { Probing } from '../engine/probing.ts'

/** A pool whose engine runs in a container. */
export interface ContainerSpec {
  /** `container`: podman where it is there, else docker. */
  readonly runtime: ContainerRuntime | 'container'
  readonly image: string
}

/** A pool as the pools file wants it, defaults applied. */
export interface PoolSpec {
  readonly poolId: string
  readonly engine: EngineSpec
  /** Ids of devices; as written where they are not known yet. */
  readonly devices: readonly string[]
  /** The same over reboots. Absent: not all of them are known yet. */
  readonly deviceUuids?: readonly string[]
  /** What the pool may take of each GPU of its mask. */
  readonly vramBudgetBytes?: number
  /** Where the model's files come from, as written; empty in a pool without a model. */
  readonly modelRef: string
  /** Where relative paths of models begin. Absent: nowhere, and there are none. */
  readonly modelRoot?: string
  /** The pools file says what clients call the model, whichever that is. Absent is false. */
  readonly hasOwnModelId?: boolean
  /** The model of the pools file, where `modelRef` is one that a reload put in its place. */
  readonly writtenModelRef?: string
  /** The model file, when the engine reads one of this machine. */
  readonly modelPath?: string
  /** `sha256:` and 64 hex digits that the model file of the pools file has to have. */
  readonly modelDigest?: string
  /** Nothing may be fetched for it. Absent is false. */
  readonly isAirgapped?: boolean
  /** False: the engine says how many requests it runs at once. */
  readonly hasOwnSlots: boolean
  /** 0: a free one from the system. */
  readonly port: number
  readonly isStrict: boolean
  readonly samplerProfileVersion: string
  readonly apiKeyEnv?: string
  readonly unit?: string
  /** Started when a request asks for its model, not with the agent. Absent is false. */
  readonly loadsOnDemand?: boolean
  /** The engine runs on when the agent ends, for the next life to take over. Absent is false. */
  readonly outlivesAgent?: boolean
  readonly policy: SupervisionPolicy
  /** Absent: the engine is a process of this host. */
  readonly container?: ContainerSpec
  /** Absent: the engine is asked as its driver says. */
  readonly probing?: Probing
}

/** The whole pools file. */
export interface PoolsFile {
  readonly hostId: string
  readonly pools: readonly PoolSpec[]
}
