import {
  JobClass as WireJobClass,
  KvHint as WireKvHint,
  LeaseOutcome as WireOutcome,
  type Acquire,
  type Budget as WireBudget,
  type Charge as WireCharge,
  type Hello as WireHello,
  type Job,
  type LiveLease as WireLease,
  type Release,
} from '@berth/contract'
import { BerthError, parseGatewayId, parseJobId, parseModelId, parsePoolId } from '@berth/kernel'
import type { InstanceId, JobId, LeaseId, ModelId, PoolId } from '@berth/kernel'
import { toWhole, type Amounts, type Budget } from '@berth/admission'
import type { KvHint } from '@berth/placement'
import type { Ask, JobSpec, LeaseOutcome, LeaseResult } from './job-spec.ts'
import type { UnreadableAsk } from './job-end.ts'
import type { Hello, LiveLease, UnsettledRelease } from './session-signal.ts'

/** Pools a job may name in each of its lists. */
const NAMED_POOLS_MAX = 64

/** The product with the tokens of one answer stays exact. */
const ANSWERS_MAX = 4_096

/** A job in core's words. Throws `INVALID_PARAMS` when it lacks a model or names what is no id. */
export const toJobSpec = (job: Job | undefined): JobSpec => {
  if (!job) throw new BerthError('INVALID_PARAMS', 'The job is missing.')
  const { placement, requirements } = job
  return {
    modelId: parseModelId(job.modelId),
    route: job.route,
    jobClass: job.class === WireJobClass.BATCH ? 'batch' : 'interactive',
    maxTokens: job.maxTokens,
    answers: Math.min(ANSWERS_MAX, Math.max(1, job.answers)),
    requiredCtx: job.requiredCtx,
    maxWaitMs: job.maxWaitMs,
    deadlineMs: job.deadlineMs,
    sessionId: toName('session id', job.sessionId),
    correlationId: job.correlationId,
    kvHint: KV_HINTS[job.kvHint] ?? 'none',
    promptTokens: job.promptTokens,
    prefix: toPrefix(job.prefixChain),
    expectedTokensHint: job.expectedTokens,
    tenant: toName('tenant', job.tenant),
    keyId: toName('key id', job.keyId),
    budget: toBudget(job.budget),
    isStrict: job.isStrict,
    ...(job.seed === undefined ? {} : { seed: job.seed }),
    ...(job.estKvBytes === undefined ? {} : { estKvBytes: toCount(job.estKvBytes) }),
    samplerProfileVersion: job.samplerProfileVersion,
    engineVersion: job.engineVersion,
    modelDigest: job.modelDigest,
    ...(placement?.pinPoolId ? { pinPoolId: parsePoolId(placement.pinPoolId) } : {}),
    preferPools: toPoolIds(placement?.preferPools),
    avoidPools: toPoolIds(placement?.avoidPools),
    requireDeviceMask: (placement?.requireDeviceMask ?? []).slice(0, NAMED_POOLS_MAX),
    allowFallback: placement?.allowFallback ?? false,
    minVramBytes: toCount(requirements?.minVramBytes ?? 0n),
    minComputeCap: requirements?.minComputeCap ?? 0,
    quantization: requirements?.quantization ?? '',
    requiredExtensions: (requirements?.requiredExtensions ?? []).slice(0, NAMED_POOLS_MAX),
    engine: requirements?.engine ?? '',
  }
}

/** An Acquire in core's words. Throws `INVALID_PARAMS`. */
export const toAsk = (wire: Acquire): Ask => ({
  jobId: parseJobId(wire.jobId),
  spec: toJobSpec(wire.job),
  waitedMs: wire.waitedMs,
  attempt: wire.attempt,
  exclusions: wire.exclusions.slice(0, NAMED_POOLS_MAX).map(({ poolId, instanceId }) => ({
    poolId: poolId as PoolId,
    instanceId: instanceId as InstanceId,
  })),
})

/** What can be said of an Acquire that is refused for what it says; names are cut. */
export const toUnreadable = (wire: Acquire, problem: BerthError): UnreadableAsk => ({
  jobId: wire.jobId as JobId,
  waitedMs: wire.waitedMs,
  problem,
  facts: {
    jobId: cut(wire.jobId) as JobId,
    modelId: cut(wire.job?.modelId) as ModelId,
    jobClass: wire.job?.class === WireJobClass.BATCH ? 'batch' : 'interactive',
    correlationId: cut(wire.job?.correlationId),
    sessionId: cut(wire.job?.sessionId),
  },
})

const cut = (name = ''): string => name.slice(0, NAME_MAX).toWellFormed()

/** What a Release says of its lease. */
export const toLeaseResult = (wire: Release): LeaseResult => ({
  outcome: OUTCOMES[wire.outcome] ?? 'unknown',
  tokensIn: wire.tokensIn,
  tokensOut: wire.tokensOut,
  firstTokenMs: toDurationMs(wire.firstTokenMs),
  decodeMs: toDurationMs(wire.decodeMs),
})

/** A Hello in core's words. Throws `INVALID_PARAMS`. */
export const toHello = (wire: WireHello): Hello => ({
  gatewayId: parseGatewayId(wire.gatewayId),
  session: toCounter(wire.session),
  term: toCounter(wire.term),
  liveLeases: wire.liveLeases.map(toLiveLease),
  unsettled: wire.unsettled.flatMap(({ lease, release }) =>
    // One without a pool was never held: it cost nothing.
    lease && release && lease.poolId !== '' ? [toUnsettled(lease, release)] : [],
  ),
})

const toLiveLease = (lease: WireLease): LiveLease => ({
  leaseId: lease.leaseId as LeaseId,
  jobId: parseJobId(lease.jobId),
  poolId: parsePoolId(lease.poolId),
  modelId: lease.modelId as ModelId,
  epoch: toCounter(lease.epoch),
  term: toCounter(lease.term),
  keyId: toName('key id', lease.keyId),
  tenant: toName('tenant', lease.tenant),
  sessionId: toName('session id', lease.sessionId),
  budget: toBudget(lease.budget),
  ...(lease.reserved ? { reserved: toAmounts(lease.reserved) } : {}),
})

const toUnsettled = (lease: WireLease, release: Release): UnsettledRelease => ({
  live: toLiveLease(lease),
  sequence: toCounter(release.sequence),
  result: toLeaseResult(release),
})

const toAmounts = ({ tokens, timeMs, costMicros }: WireCharge): Amounts => ({
  tokens: toWhole(Number(tokens)),
  timeMs: toWhole(Number(timeMs)),
  costMicros: toWhole(Number(costMicros)),
})

/** Counts and sizes beyond what a number holds exactly are as good as the largest that it does. */
const toCount = (value: bigint): number => Math.min(Number(value), Number.MAX_SAFE_INTEGER)

/**
 * A number that only grows, of a session, a term or a release. One that a number does not hold
 * exactly was never reached by counting. Throws `INVALID_PARAMS`.
 */
export const toCounter = (value: bigint): number => {
  if (value <= Number.MAX_SAFE_INTEGER) return Number(value)
  throw new BerthError('INVALID_PARAMS', `${value} is no count: it is above 2^53.`)
}

/** No request takes longer; what is no number was not measured. */
const DURATION_MAX_MS = 2 ** 32

const toDurationMs = (ms: number): number => (ms > 0 ? Math.min(ms, DURATION_MAX_MS) : 0)

/** Bytes of the chain that count: 64 blocks, as the contract says. */
const PREFIX_BYTES_MAX = 64 * 8

/** Copied: the bytes of a frame may stand at any offset and share their buffer with it. */
const toPrefix = (chain: Uint8Array): Uint32Array => {
  const length = Math.min(PREFIX_BYTES_MAX, chain.length - (chain.length % 8))
  return length === 0 ? NO_PREFIX : new Uint32Array(chain.slice(0, length).buffer)
}

/** The gateway has checked it; a longer one would not fit the store. */
const NAME_MAX = 128

/** The name of a tenant, key or session, which becomes part of a key of the store. */
const toName = (what: string, name: string): string => {
  if (name.length <= NAME_MAX && name.isWellFormed()) return name
  throw new BerthError('INVALID_PARAMS', `A ${what} has up to ${NAME_MAX} characters.`)
}

const NO_PREFIX = new Uint32Array()

const toBudget = (budget: WireBudget | undefined): Budget => ({
  ...(budget?.tokens === undefined ? {} : { tokens: toCount(budget.tokens) }),
  ...(budget?.timeMs === undefined ? {} : { timeMs: toCount(budget.timeMs) }),
  ...(budget?.costMicros === undefined ? {} : { costMicros: toCount(budget.costMicros) }),
})

const KV_HINTS: Readonly<Record<number, KvHint>> = {
  [WireKvHint.REUSE]: 'reuse',
  [WireKvHint.COLD]: 'cold',
}

const toPoolIds = (ids: readonly string[] = []): PoolId[] =>
  ids.slice(0, NAMED_POOLS_MAX).map((id) => parsePoolId(id))

const OUTCOMES: Readonly<Record<number, LeaseOutcome>> = {
  [WireOutcome.COMPLETED]: 'completed',
  [WireOutcome.ENGINE_ERROR]: 'engine_error',
  [WireOutcome.CLIENT_GONE]: 'client_gone',
  [WireOutcome.REFUSED]: 'refused',
  [WireOutcome.UNREACHABLE]: 'unreachable',
  [WireOutcome.BROKEN]: 'broken',
  [WireOutcome.UNUSED]: 'unused',
}
