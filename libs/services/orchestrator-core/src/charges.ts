import {
  closeCharge,
  costMicrosOf,
  createAccount,
  isLimited,
  isNothing,
  NOTHING,
  openCharge,
  remainingOf,
  reopenCharge,
  settle,
  toWhole,
  type Amounts,
  type Budget,
  type BudgetAccount,
} from '@berth/admission'
import { unreachable, type GatewayId, type JobId, type LeaseId, type ModelId } from '@berth/kernel'
import type { Decision } from '@berth/placement'
import type { Core } from './core-state.ts'
import { keyAccount, markDirty, type JobCharge } from './ledger.ts'
import type { JobSpec, LeaseResult } from './job-spec.ts'
import type { Lease } from './lease-table.ts'
import { refuseBudget } from './refuse-budget.ts'
import type { Refusal } from './refusal.ts'
import type { LiveLease } from './session-signal.ts'
import { finishTurn, joinSession, noteUse, resumeSession } from './sessions.ts'

/** Assumed length of a request of a model nobody has finished one of, in milliseconds. */
const DEFAULT_TIME_MS = 10_000

/** Sets aside what a job may cost, or says why it cannot. Nothing for a job without budgets. */
export const reserveJob = (
  core: Core,
  jobId: JobId,
  spec: JobSpec,
  decision: Decision,
): Refusal | undefined => {
  const key = keyAccount(core, spec.keyId)
  const joined = joinSession(core, spec)
  if (joined.kind === 'refused') return joined.refusal
  const { session } = joined
  const accounts = [
    ...(key ? [key] : []),
    ...(session ? [session.account] : []),
    // Lives as long as the job.
    ...(!session && isLimited(spec.budget) ? [createAccount('', 'job', spec.budget)] : []),
  ]
  if (accounts.length === 0) return undefined
  const amounts = estimate(core, spec, decision)
  const opening = openCharge(accounts, amounts)
  if (opening.kind === 'refused') {
    joined.undo()
    return refuseBudget(core, opening, amounts)
  }
  if (session) session.open += 1
  core.ledger.byJob.set(jobId, { charge: opening.charge, session })
  return undefined
}

/** The job ended without a slot: nothing of it is charged. */
export const refundJob = (core: Core, jobId: JobId): void => {
  const job = core.ledger.byJob.get(jobId)
  if (!job) return
  core.ledger.byJob.delete(jobId)
  close(core, job)
}

/** What Assigned says of budgets. */
export interface ChargeFacts {
  /** Absent without a budget. */
  readonly reserved?: Amounts
  readonly remaining?: Budget
}

/** The job got a slot: its charge ends with that lease now. */
export const bindCharge = (
  core: Core,
  jobId: JobId,
  lease: Lease & { readonly gatewayId: GatewayId },
): ChargeFacts => {
  const job = core.ledger.byJob.get(jobId)
  if (!job) return {}
  core.ledger.byJob.delete(jobId)
  core.ledger.byLease.set(lease.leaseId, { ...job, lease, gatewayId: lease.gatewayId })
  const remaining = remainingOf(job.charge.accounts)
  return remaining ? { reserved: job.charge.reserved, remaining } : {}
}

/** What a release says, and where it stands among those of its gateway. */
export interface SettledRelease {
  readonly leaseId: LeaseId
  readonly sequence: number
  readonly result: LeaseResult
}

/**
 * Charges what a lease really took, once, and gives back what was set aside. `live` says whose
 * lease it was where this leader never heard of it.
 */
export const settleLease = (
  core: Core,
  gatewayId: GatewayId,
  { leaseId, sequence, result }: SettledRelease,
  live?: LiveLease,
): void => {
  const known = core.ledger.byLease.get(leaseId)
  if (known && known.gatewayId !== gatewayId) return
  refundLease(core, leaseId)
  const { modelId, poolId } = known?.lease ?? live ?? {}
  learnTime(core, modelId, result)
  const amounts = chargeOf(core, modelId, result)
  const isFinished = result.outcome === 'completed'
  const session = known ? known.session : live && resumeSession(core, live)
  const accounts = known ? known.charge.accounts : live ? accountsOf(core, live) : []
  for (const account of accounts) {
    const turns = account.owner === 'session' && isFinished ? 1 : 0
    if (isNothing(amounts) && turns === 0) continue
    if (settle(account, { gatewayId, sequence, amounts, turns })) noteSpent(core, account)
  }
  if (session && isFinished && poolId !== undefined) {
    finishTurn(core, session, { poolId, instanceId: known?.lease.instanceId })
  }
}

/** Counts again what an earlier leader had set aside for a lease its gateway declares. */
export const readoptCharge = (
  core: Core,
  gatewayId: GatewayId,
  lease: Lease,
  live: LiveLease,
): void => {
  if (core.ledger.byLease.has(live.leaseId)) return
  const accounts = accountsOf(core, live)
  if (accounts.length === 0) return
  const charge = reopenCharge(accounts, live.reserved ?? NOTHING)
  const session = resumeSession(core, live)
  if (session) session.open += 1
  core.ledger.byLease.set(live.leaseId, { charge, session, lease, gatewayId })
}

/** The lease is over and its gateway cannot say how: nothing of it is charged. */
export const refundLease = (core: Core, leaseId: LeaseId): void => {
  const lease = core.ledger.byLease.get(leaseId)
  if (!lease) return
  core.ledger.byLease.delete(leaseId)
  close(core, lease)
}

/** The same for all a gateway held but for those it still does. */
export const refundGateway = (
  core: Core,
  gatewayId: GatewayId,
  declared: ReadonlySet<LeaseId> = new Set(),
): void => {
  for (const [leaseId, lease] of core.ledger.byLease) {
    if (lease.gatewayId === gatewayId && !declared.has(leaseId)) refundLease(core, leaseId)
  }
}

/**
 * The lease ended without its gateway's word. One that is there will still say what it took; of
 * one that is not, nobody knows.
 */
export const voidCharge = (core: Core, leaseId: LeaseId, gatewayId: GatewayId | undefined) => {
  const isThere = gatewayId !== undefined && core.gateways.get(gatewayId)?.key !== undefined
  if (!isThere) refundLease(core, leaseId)
}

const close = (core: Core, { charge, session }: JobCharge) => {
  if (closeCharge(charge) && session) {
    session.open -= 1
    noteUse(core, session)
  }
}

/** Whose budgets a lease counts against, by what its gateway says of it. */
const accountsOf = (core: Core, live: LiveLease): BudgetAccount[] => {
  const key = keyAccount(core, live.keyId)
  const session = resumeSession(core, live)
  return [...(key ? [key] : []), ...(session ? [session.account] : [])]
}

/** The most a job should cost: the whole prompt, and all it may produce. */
const estimate = (core: Core, spec: JobSpec, decision: Decision): Amounts => {
  const { prices, reserveTokensMax } = core.policy.budgets
  const { route, maxTokens, answers = 1 } = spec
  const isMute = ANSWERS_WITHOUT_TOKENS.has(route)
  const tokensOut = isMute ? 0 : (maxTokens || reserveTokensMax) * answers
  const timeMs =
    decision.kind === 'assigned'
      ? decision.predictedEndMs
      : (core.ledger.timesMs.get(spec.modelId) ?? DEFAULT_TIME_MS)
  return {
    tokens: spec.promptTokens + tokensOut,
    timeMs: toWhole(timeMs),
    costMicros: toWhole(costMicrosOf(prices.get(spec.modelId), spec.promptTokens, tokensOut)),
  }
}

/** These read a prompt and produce none. */
const ANSWERS_WITHOUT_TOKENS: ReadonlySet<string> = new Set([
  '/v1/embeddings',
  '/v1/rerank',
  '/v1/audio/transcriptions',
])

/** What a lease took: what was produced, also where the client left or the engine broke off. */
const chargeOf = (core: Core, modelId: ModelId | undefined, result: LeaseResult): Amounts => {
  switch (result.outcome) {
    case 'completed':
    case 'engine_error':
    case 'client_gone':
    case 'broken': {
      const [tokensIn, tokensOut] = [toWhole(result.tokensIn), toWhole(result.tokensOut)]
      const price = modelId === undefined ? undefined : core.policy.budgets.prices.get(modelId)
      return {
        tokens: tokensIn + tokensOut,
        timeMs: toWhole(result.firstTokenMs + result.decodeMs),
        costMicros: toWhole(costMicrosOf(price, tokensIn, tokensOut)),
      }
    }
    case 'refused':
    case 'unreachable':
    case 'unused':
    case 'unknown':
      return NOTHING
    default:
      return unreachable(result.outcome)
  }
}

/** The weight of the newest is 0.1. */
const learnTime = ({ ledger }: Core, modelId: ModelId | undefined, result: LeaseResult) => {
  if (modelId === undefined || result.outcome !== 'completed') return
  const timeMs = toWhole(result.firstTokenMs + result.decodeMs)
  const known = ledger.timesMs.get(modelId)
  ledger.timesMs.set(modelId, known === undefined ? timeMs : known * 0.9 + timeMs * 0.1)
}

const noteSpent = (core: Core, { owner, accountId }: BudgetAccount) => {
  if (owner === 'job') return
  markDirty(core, { bucket: owner === 'key' ? 'budgets' : 'sessions', key: accountId })
}
