import {
  createFleetView,
  foldSnapshot,
  markKeyed,
  release,
  reserve,
  type FleetView,
} from '@berth/fleet'
import { hostSnapshot, poolSnapshot } from '@berth/fleet/testing'
import type { HostId, ModelId, PoolId } from '@berth/kernel'
import {
  DEFAULT_PLACEMENT_POLICY,
  noteGrant,
  noteRelease,
  place,
  type Decision,
  type GrantNote,
  type PlacementJob,
  type PlacementPolicy,
} from '@berth/placement'
import type { Completion, CreateRouter, Router, RouterWorld } from '../router.ts'
import type { Trace } from '../trace.ts'

const MODEL = 'm' as ModelId
/** The gateway hashes this much of a prompt's beginning: 64 blocks of 2 KiB, some 512 tokens each. */
const CHAIN_BLOCKS = 64
/** Core's guess for a model nobody has finished a request of, and the weight of the newest. */
const FIRST_EXPECTED_TOKENS = 256
const NEWEST = 0.1
/** The gateway knows a prompt's bytes, not its tokens: it is wrong by up to this share. */
const PROMPT_ERROR = 0.15
/** Hosts say that they live every 2 s. */
const HEARTBEAT_MS = 2_000

/** A grant that is not over. */
interface Lease {
  readonly poolId: PoolId
  readonly note: GrantNote
}

/**
 * Berth as orchestrator-core runs it: `place()` on a view of the fleet, a slot reserved for each
 * grant, what is measured noted at its release, and a queue in order of arrival while no slot is
 * free. Policy and weights are Berth's defaults: nothing is tuned for a trace.
 */
export const berth =
  (policy: PlacementPolicy = DEFAULT_PLACEMENT_POLICY): CreateRouter =>
  (world) =>
    createBerth(world, policy)

const createBerth = (world: RouterWorld, policy: PlacementPolicy): Router => {
  const view = buildView(world)
  const waiting: number[] = []
  const declinesSinceMs = new Map<number, number>()
  const leases = new Map<number, Lease>()
  const warmPools = new Map<number, PoolId>()
  let expectedTokens = FIRST_EXPECTED_TOKENS
  const now = { ms: 0 }

  const tryPlace = (job: number, queueAhead: number): Decision => {
    const warmPoolId = warmPools.get(world.trace.session[job]!)
    const declinedMs = now.ms - (declinesSinceMs.get(job) ?? now.ms)
    const asked: PlacementJob = {
      ...toJob(world, job, expectedTokens, warmPoolId),
      queueAhead,
      declineMs: policy.fasterWaitMs - declinedMs,
    }
    const decision = place(view, asked, policy, now.ms)
    if (decision.kind !== 'assigned') return decision
    const { pool } = decision
    declinesSinceMs.delete(job)
    reserve(view, pool.poolId)
    leases.set(job, { poolId: pool.poolId, note: noteGrant(view, asked, pool, now.ms) })
    world.dispatch(job, indexOf(pool.poolId))
    return decision
  }
  /** As core's dispatcher: whoever declines is passed by those with more jobs ahead than pays. */
  const pass = () => {
    for (let at = 0; at < waiting.length;) {
      const decision = tryPlace(waiting[at]!, at)
      if (decision.kind === 'assigned') waiting.splice(at, 1)
      else if (decision.kind === 'wait' && decision.declinesUpTo !== undefined) {
        if (!declinesSinceMs.has(waiting[at]!)) declinesSinceMs.set(waiting[at]!, now.ms)
        at = decision.declinesUpTo + 1
      } else return
    }
  }
  return {
    arrive: (job, nowMs) => {
      now.ms = nowMs
      beat(view, nowMs)
      waiting.push(job)
      pass()
    },
    complete: (completion, nowMs) => {
      now.ms = nowMs
      beat(view, nowMs)
      const { job } = completion
      const lease = leases.get(job)!
      leases.delete(job)
      release(view, lease.poolId)
      noteRelease(view, lease.note, measuredOf(world, completion), nowMs)
      expectedTokens += NEWEST * (world.trace.outputTokens[job]! - expectedTokens)
      warmPools.set(world.trace.session[job]!, lease.poolId)
      pass()
    },
  }
}

/** One host for each replica, with one pool of as many slots as the engine takes sequences. */
const buildView = ({ fleet }: RouterWorld): FleetView => {
  const view = createFleetView()
  for (const [index, spec] of fleet.entries()) {
    const pool = poolSnapshot(poolIdOf(index), {
      engine: 'vllm',
      deviceMask: ['0'],
      slotsTotal: spec.maxSeqs,
      contextLength: spec.kvTokens,
      // What hosts publish of these cards.
      computeCapability: spec.gpu === 'h100' ? 9 : 8,
      vramTotalBytes: 80 * 2 ** 30,
      models: [MODEL],
    })
    const hostId = `host-${index}`
    const devices = [{ deviceId: '0', kind: 'nvidia' as const }]
    foldSnapshot(view, hostSnapshot(hostId, [pool], { devices }), 0)
    markKeyed(view, hostId as HostId, 1)
  }
  return view
}

const beat = (view: FleetView, nowMs: number): void => {
  for (const host of view.hosts.values()) {
    if (nowMs - host.heardAtMs >= HEARTBEAT_MS) host.heardAtMs = nowMs
  }
}

const poolIdOf = (index: number) => `pool-${String(index).padStart(3, '0')}`
const indexOf = (poolId: PoolId) => Number(poolId.slice('pool-'.length))

const toJob = (
  { trace }: RouterWorld,
  job: number,
  expectedTokens: number,
  warmPoolId: PoolId | undefined,
): PlacementJob => ({
  modelId: MODEL,
  route: '/v1/chat/completions',
  requiredCtx: 0,
  promptTokens: Math.max(
    1,
    Math.round(trace.promptTokens[job]! * (1 + PROMPT_ERROR * wobble(job))),
  ),
  prefix: chainOf(trace, job),
  expectedTokens: Math.max(1, Math.round(expectedTokens)),
  queueAhead: 0,
  exclusions: [],
  exclusionsEndMs: 0,
  ...(warmPoolId === undefined ? {} : { warmPoolId }),
  kvHint: 'none',
  preferPools: [],
  avoidPools: [],
  requireDeviceMask: [],
  allowFallback: false,
  minVramBytes: 0,
  minComputeCap: 0,
  quantization: '',
  requiredExtensions: [],
  engine: '',
  isStrict: false,
  samplerProfileVersion: '',
  engineVersion: '',
  modelDigest: '',
})

const chainOf = ({ blocks, blockStart }: Trace, job: number): Uint32Array => {
  const first = blockStart[job]!
  const count = Math.min(CHAIN_BLOCKS, blockStart[job + 1]! - first)
  const chain = new Uint32Array(2 * count)
  for (let n = 0; n < count; n++) {
    chain[2 * n] = Math.imul(blocks[first + n]! + 1, 0x9e37_79b1)
    chain[2 * n + 1] = Math.imul(blocks[first + n]! + 1, 0x85eb_ca6b)
  }
  return chain
}

/** From -1 to 1, the same for the same job. */
const wobble = (job: number): number => (Math.imul(job + 1, 0x9e37_79b1) | 0) / 2 ** 31

const measuredOf = ({ trace }: RouterWorld, completion: Completion) => ({
  tokensIn: trace.promptTokens[completion.job]!,
  tokensOut: trace.outputTokens[completion.job]!,
  firstTokenMs: completion.firstTokenMs,
  decodeMs: completion.decodeMs,
  isComplete: true,
})
