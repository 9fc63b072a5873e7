import type { Budget } from '@berth/admission'
import type { MessageInitShape } from '@bufbuild/protobuf'
import type { ServerFrameSchema } from '@berth/contract'
import { unreachable } from '@berth/kernel'
import type { CorePolicy } from './core-state.ts'
import type { SessionSignal } from './session-signal.ts'

/** A frame as it is sent. */
export type ServerFrameInit = MessageInitShape<typeof ServerFrameSchema>

/** What Welcome says about the session itself. Milliseconds. */
export interface SessionTerms extends Pick<CorePolicy, 'leaseTtlMs' | 'maxOutstanding'> {
  readonly heartbeatIntervalMs: number
  readonly heartbeatTimeoutMs: number
}

const UINT32_MAX = 0xffff_ffff

/** A signal as a frame. */
export const toFrame = (signal: SessionSignal, terms: SessionTerms): ServerFrameInit => {
  switch (signal.kind) {
    case 'welcome': {
      const { term, leaderId, revokedLeaseIds } = signal
      const value = { ...terms, leaderId, revokedLeaseIds: [...revokedLeaseIds] }
      return { frame: { case: 'welcome', value: { ...value, term: BigInt(term) } } }
    }
    case 'not_leader': {
      const { address, term } = signal
      return { frame: { case: 'notLeader', value: { address, term: BigInt(term) } } }
    }
    case 'assigned': {
      const { kind: _, instanceId = '', epoch, term, reserved, remaining, ...rest } = signal
      const value = {
        ...rest,
        ...(reserved ? { reserved: toWhole(reserved) } : {}),
        ...(remaining ? { remaining: toWhole(remaining) } : {}),
        instanceId,
        epoch: BigInt(epoch),
        term: BigInt(term),
        queuedMs: toUint32(rest.queuedMs),
        predictedEndMs: toUint32(rest.predictedEndMs),
      }
      return { frame: { case: 'assigned', value } }
    }
    case 'queued': {
      const { kind: _, ...rest } = signal
      const value = { ...rest, predictedStartMs: toUint32(rest.predictedStartMs) }
      return { frame: { case: 'queued', value } }
    }
    case 'rejected': {
      const { kind: _, remaining, budgetOwner = '', ...rest } = signal
      const value = {
        ...rest,
        budgetOwner,
        ...(remaining ? { remaining: toWhole(remaining) } : {}),
        predictedEndMs: toUint32(rest.predictedEndMs ?? 0),
        retryAfterMs: toUint32(rest.retryAfterMs),
      }
      return { frame: { case: 'rejected', value } }
    }
    case 'settled':
      return { frame: { case: 'settled', value: { sequence: BigInt(signal.sequence) } } }
    case 'revoked': {
      const { kind: _, ...value } = signal
      return { frame: { case: 'revoked', value } }
    }
    case 'heartbeat':
      return { frame: { case: 'heartbeat', value: { term: BigInt(signal.term) } } }
    default:
      return unreachable(signal)
  }
}

/** Amounts for the wire, where each is an integer of its own. */
export const toWhole = ({ tokens, timeMs, costMicros }: Budget) => ({
  ...(tokens === undefined ? {} : { tokens: BigInt(tokens) }),
  ...(timeMs === undefined ? {} : { timeMs: BigInt(timeMs) }),
  ...(costMicros === undefined ? {} : { costMicros: BigInt(costMicros) }),
})

/**
 * A count for a `uint32` field: whole, the field's maximum when it is more, and 0 for what is no
 * number: a frame that cannot be written would end the session with all that waits in it.
 */
export const toUint32 = (value: number): number =>
  value > 0 ? Math.min(UINT32_MAX, Math.round(value)) : 0
