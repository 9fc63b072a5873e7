import { create } from '@bufbuild/protobuf'
import { HostSnapshotSchema } from '@berth/contract'
import type { HostSnapshot, PoolSnapshot } from '@berth/fleet'
import { hostSnapshot, poolSnapshot } from '@berth/fleet/testing'
import {
  seededRng,
  type BerthError,
  type GatewayId,
  type HostId,
  type JobId,
  type LeaseId,
  type ModelId,
  type PoolId,
} from '@berth/kernel'
import { createSimClock, type SimClock } from '@berth/kernel/testing'
import { coreConfigSchema } from '../config.ts'
import { createCoordinator, type Coordinator } from '../coordinator.ts'
import type { CoreEvent } from '../core-event.ts'
import type { CorePolicy } from '../core-state.ts'
import type { KeyDelivery, SessionKey } from '../effects.ts'
import type { Ask, JobSpec, LeaseResult } from '../job-spec.ts'
import type { KeyBudget } from '../ledger.ts'
import { toPolicy } from '../policy-config.ts'
import type { LiveLease, SessionSignal } from '../session-signal.ts'
import { createMemoryLedger, type MemoryLedger } from './memory-ledger.ts'

/** A coordinator on a virtual clock whose effects are written down. */
export interface Rig {
  readonly clock: SimClock
  readonly coordinator: Coordinator
  readonly events: CoreEvent[]
  readonly deliveries: KeyDelivery[]
  readonly resigned: number[]
  /** Pools that were asked to start, in their order. */
  readonly started: PoolId[]
  readonly closed: { readonly session: SessionKey; readonly error: BerthError | undefined }[]
  /** What a session was told since it was asked last, oldest first. */
  take(session: SessionKey): SessionSignal[]
  /** A host becomes known and is keyed at once. */
  joinHost(hostId: string, pools: readonly PoolSnapshot[], draft?: Partial<HostSnapshot>): void
  joinGateway(session: SessionKey, id: string, leases?: readonly LiveLease[], count?: number): void
  readonly store: MemoryLedger
  /** Lets the store answer whatever it was asked, and what that makes it be asked. */
  settleStore(): void
  /** Ticks every 200 ms for `ms`. The hosts named stay fresh. */
  pass(ms: number, ...freshHosts: readonly string[]): Promise<void>
}

/** What two rigs share when one takes over from the other. */
export interface RigParts {
  readonly clock?: SimClock
  readonly store?: MemoryLedger
  /** Of its ids: two leaders never mint the same. */
  readonly seed?: number
  readonly budgetOfKey?: (keyId: string) => KeyBudget | undefined
}

/**
 * A rig that leads under term 1 and has settled, unless `isLeader` is false. `observe` sees each
 * event while the state is as it was when it happened.
 */
export const createRig = (
  policy: Partial<CorePolicy> = {},
  isLeader = true,
  observe?: (event: CoreEvent) => void,
  { clock = createSimClock(), store = createMemoryLedger(), seed = 1, budgetOfKey }: RigParts = {},
): Rig => {
  const asked: (() => void)[] = []
  const inbox = createInbox()
  const events: CoreEvent[] = []
  const deliveries: KeyDelivery[] = []
  const [resigned, started]: [number[], PoolId[]] = [[], []]
  const closed: Rig['closed'] = []
  const coordinator: Coordinator = createCoordinator({
    coreId: 'core-1',
    clock,
    rng: seededRng(seed),
    policy: { ...toPolicy(coreConfigSchema.parse({})), settleMs: 0, ...policy },
    effects: {
      send: inbox.send,
      close: (session, error) => void closed.push({ session, error }),
      installKey: (delivery) => void deliveries.push(delivery),
      forgetHost: () => undefined,
      mintToken: ({ poolId, term }) => `token ${poolId} ${term}`,
      resign: (seenTerm) => {
        resigned.push(seenTerm)
        coordinator.onFollowing(seenTerm, '')
      },
      startPool: ({ poolId }) => void started.push(poolId),
      report: (event) => {
        events.push(event)
        observe?.(event)
      },
      loadLedger: (term) =>
        void asked.push(() => coordinator.onLedgerLoaded(term, [...store.entries.values()])),
      saveLedger: (round, writes) =>
        void asked.push(() => coordinator.onLedgerSaved(round, store.apply(writes))),
    },
    ...(budgetOfKey ? { budgetOfKey } : {}),
  })
  if (isLeader) coordinator.onLeading(1)
  const hear = (hostId: string) =>
    coordinator.onHeartbeat(coordinator.core.view.hosts.get(hostId as HostId)!.snapshot)
  return {
    ...{ clock, coordinator, events, deliveries, resigned, closed, store, started },
    settleStore: () => {
      for (let answer = asked.shift(); answer; answer = asked.shift()) answer()
    },
    take: inbox.take,
    joinHost: (hostId, pools, draft) => {
      const snapshot = hostSnapshot(hostId, pools, draft)
      coordinator.onSnapshot(snapshot, create(HostSnapshotSchema, { hostId }))
      coordinator.onHostKeyed(snapshot.hostId, snapshot.epoch, coordinator.core.role.term)
    },
    joinGateway: (session, id, liveLeases = [], count = session) =>
      coordinator.onHello(session, {
        gatewayId: id as GatewayId,
        session: count,
        liveLeases,
        unsettled: [],
        term: 0,
      }),
    pass: async (ms, ...freshHosts) => {
      for (let passed = 0; passed < ms; passed += 200) {
        await clock.advance(Math.min(200, ms - passed))
        for (const hostId of freshHosts) hear(hostId)
        coordinator.onTick()
      }
    },
  }
}

/** What sessions were told and nobody has taken yet. */
const createInbox = () => {
  const told = new Map<SessionKey, SessionSignal[]>()
  return {
    send: (session: SessionKey, signal: SessionSignal) =>
      void told.set(session, [...(told.get(session) ?? []), signal]),
    take: (session: SessionKey) => {
      const signals = told.get(session) ?? []
      told.delete(session)
      return signals
    },
  }
}

/** A pool snapshot again, under the name the specs of core use. */
export const pool = poolSnapshot

/** An interactive chat job for the model `m` without demands. */
export const ask = (jobId: string, spec: Partial<JobSpec> = {}, rest: Partial<Ask> = {}): Ask => ({
  jobId: jobId as JobId,
  waitedMs: 0,
  attempt: 0,
  exclusions: [],
  ...rest,
  spec: {
    modelId: 'm' as ModelId,
    route: '/v1/chat/completions',
    jobClass: 'interactive',
    maxTokens: 10,
    requiredCtx: 0,
    maxWaitMs: 0,
    deadlineMs: 0,
    sessionId: '',
    correlationId: 'c',
    kvHint: 'none',
    promptTokens: 0,
    prefix: new Uint32Array(),
    expectedTokensHint: 0,
    tenant: '',
    keyId: '',
    budget: {},
    isStrict: false,
    samplerProfileVersion: '',
    engineVersion: '',
    modelDigest: '',
    preferPools: [],
    avoidPools: [],
    requireDeviceMask: [],
    allowFallback: false,
    minVramBytes: 0,
    minComputeCap: 0,
    quantization: '',
    requiredExtensions: [],
    engine: '',
    ...spec,
  },
})

/** A lease as a gateway declares it. */
export const liveLease = (leaseId: string, poolId: string, epoch = 1): LiveLease => ({
  leaseId: leaseId as LeaseId,
  jobId: `job-of-${leaseId}` as JobId,
  poolId: poolId as PoolId,
  modelId: 'm' as ModelId,
  epoch,
  term: 1,
  keyId: '',
  tenant: '',
  sessionId: '',
  budget: {},
})

/** A result without surprises. */
export const completed: LeaseResult = {
  outcome: 'completed',
  tokensIn: 5,
  tokensOut: 10,
  firstTokenMs: 1,
  decodeMs: 2,
}
