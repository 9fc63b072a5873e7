import { create, fromBinary, toBinary, type MessageInitShape } from '@bufbuild/protobuf'
import { DEFAULT_ADMISSION_POLICY, DEFAULT_SESSION_POLICY } from '@berth/admission'
import { AcquireSchema, type Acquire, type Job, type JobSchema } from '@berth/contract'
import type { HostId } from '@berth/kernel'
import {
  completed,
  createMemoryLedger,
  createRig,
  placementJobOf,
  toAsk,
  toHostSnapshot,
  type Rig,
} from '@berth/orchestrator-core/testing'
import { noteGrant, noteRelease } from '@berth/placement'
import { POOLS_PER_HOST, publishedHost } from './published-host.ts'

const MODEL = 'llama-3.3-70b-instruct'
const GATEWAY = 1
/** More than anything here is filled with. */
const ROOM = 1_000_000
const POLICY = {
  admission: { ...DEFAULT_ADMISSION_POLICY, capacity: ROOM },
  session: { ...DEFAULT_SESSION_POLICY, maxSessions: ROOM },
  maxOutstanding: ROOM,
}

/** The coordinator of core with real objects, and nothing around it that keeps what it did. */
export interface MemoryCore {
  /** Hosts with so many pools in all, from the bytes of their snapshots. */
  addPools(count: number): void
  /** Lets each pool have served so many conversations with so many blocks of prompt each. */
  learn(promptBlocks: number, talks: number): void
  /** A job that comes over the wire; it waits when no slot is free. */
  acquire(n: number, job?: JobDraft): void
  /** The same, granted and over at once. */
  run(n: number, job?: JobDraft): void
  /** Forgets what the coordinator was watched at, so that it is not counted. */
  settle(): void
}

/** What a job has besides what all have. */
export type JobDraft = Exclude<MessageInitShape<typeof JobSchema>, Job>

/** A leader that has settled, with one gateway and no pools. Every key has a budget. */
export const createMemoryCore = (): MemoryCore => {
  // What is stored is no memory of core.
  const store = createMemoryLedger()
  let revision = 0
  const apply: typeof store.apply = (writes) =>
    writes.map(() => ({ kind: 'stored', revision: (revision += 1) }))
  const rig = createRig(POLICY, true, undefined, {
    store: { ...store, apply },
    budgetOfKey: () => ({ tokensPerDay: 1e9 }),
  })
  rig.settleStore()
  rig.joinGateway(GATEWAY, 'gw-1')
  const { coordinator } = rig
  return {
    addPools: (count) => {
      for (let first = 0; first < count; first += POOLS_PER_HOST) {
        const host = first / POOLS_PER_HOST
        const published = publishedHost(host, Math.min(POOLS_PER_HOST, count - first))
        coordinator.onSnapshot(toHostSnapshot(published), published)
        const { epoch } = coordinator.core.view.hosts.get(published.hostId as HostId)!.snapshot
        coordinator.onHostKeyed(published.hostId as HostId, epoch, 1)
      }
    },
    learn: (promptBlocks, talks) => learn(rig, promptBlocks, talks),
    acquire: (n, job) => {
      coordinator.onAcquire(GATEWAY, toAsk(acquireOf(n, job)))
      rig.take(GATEWAY)
    },
    run: (n, job) => {
      coordinator.onAcquire(GATEWAY, toAsk(acquireOf(n, job)))
      for (const told of rig.take(GATEWAY)) {
        if (told.kind === 'assigned') coordinator.onRelease(GATEWAY, told.leaseId, completed)
      }
    },
    settle: () => {
      while (coordinator.core.ledger.dirty.size > 0) {
        coordinator.storeLedger()
        rig.settleStore()
      }
      rig.take(GATEWAY)
      rig.events.length = 0
      rig.deliveries.length = 0
    },
  }
}

/** A chat as a gateway sends it, with ids of their usual length. */
const acquireOf = (n: number, job: JobDraft = {}): Acquire => {
  const id = `00000000-0000-4000-8000-${String(n).padStart(12, '0')}`
  const acquire = create(AcquireSchema, {
    jobId: id,
    job: {
      ...{ modelId: MODEL, route: '/v1/chat/completions', correlationId: id },
      ...{ maxTokens: 256, promptTokens: 1_024, requiredCtx: 1_280, tenant: 'tenant', ...job },
    },
  })
  return fromBinary(AcquireSchema, toBinary(AcquireSchema, acquire))
}

/** Of so many blocks, eight bytes each; every talk has its own. */
export const chainOf = (blocks: number, talk: number): Uint8Array => {
  const words = Uint32Array.from({ length: 2 * blocks }, (_, word) =>
    Math.imul(talk * 1_000 + word + 1, 0x9e37_79b1),
  )
  return new Uint8Array(words.buffer)
}

const learn = ({ coordinator }: Rig, promptBlocks: number, talks: number) => {
  const { view } = coordinator.core
  let talk = 0
  for (const pool of view.pools.values()) {
    for (let n = 0; n < talks; n++) {
      const prefixChain = chainOf(promptBlocks, (talk += 1))
      const ask = toAsk(acquireOf(0, { prefixChain, promptTokens: 1 + promptBlocks * 512 }))
      const job = placementJobOf(coordinator.core, ask)
      const note = noteGrant(view, job, pool, 0)
      const measured = { tokensIn: 1_024, tokensOut: 256, firstTokenMs: 300, decodeMs: 6_000 }
      noteRelease(view, note, { ...measured, isComplete: true }, 6_300)
    }
  }
}
