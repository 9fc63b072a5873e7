import { describe, expect, it } from '@jest/globals'
import type { PoolId } from '@berth/kernel'
import { VERDICTS, type PlacementReason } from '@berth/placement'
import { refuseImpossible } from './refusal.ts'
import { ask } from './testing/rig.ts'

const { spec } = ask('j', { pinPoolId: 'p9' as PoolId, requiredCtx: 9, minVramBytes: 8 })

/** What a client is told of a job that can never run as the fleet is. */
const CODES: readonly (readonly [PlacementReason, string])[] = [
  ['MODEL_NOT_FOUND', 'MODEL_NOT_FOUND'],
  ['MODEL_INCOMPATIBLE', 'MODEL_LOAD_FAILED'],
  ['UNSUPPORTED_ROUTE', 'UNSUPPORTED_ROUTE'],
  ['INSUFFICIENT_CTX', 'CONTEXT_TOO_LONG'],
  ['MIN_VRAM_UNMET', 'INSUFFICIENT_VRAM'],
  ['INSUFFICIENT_VRAM', 'INSUFFICIENT_VRAM'],
  ['DEVICE_MASK_UNSATISFIED', 'INVALID_PARAMS'],
  ['ENGINE_UNAVAILABLE', 'INVALID_PARAMS'],
  ['QUANTIZATION_UNSUPPORTED', 'INVALID_PARAMS'],
  ['COMPUTE_CAPABILITY_TOO_LOW', 'INVALID_PARAMS'],
  ['EXTENSIONS_UNSATISFIED', 'INVALID_PARAMS'],
  ['DETERMINISM_UNSATISFIED', 'INVALID_PARAMS'],
  ['PINNED_POOL_INFEASIBLE', 'POOL_UNAVAILABLE'],
  ['NO_PREFERRED_FEASIBLE', 'POOL_UNAVAILABLE'],
  ['POOL_AVOIDED', 'POOL_UNAVAILABLE'],
  ['POOL_FAILED', 'POOL_UNAVAILABLE'],
]

describe('a job that placement calls impossible', () => {
  it.each(CODES)('[004-01d] for %s is refused with %s, and the reason is kept', (reason, code) => {
    const refusal = refuseImpossible(reason, spec)
    expect(refusal).toMatchObject({ reason: code, placementReason: reason })
    expect(refusal.retryAfterMs > 0).toBe(code === 'POOL_UNAVAILABLE')
    expect(refusal.message).toMatch(/^[A-Z].*\.$/)
  })

  it('[004-01d] has a code for every reason that never ends', () => {
    const never = Object.values(VERDICTS).flatMap(({ reason, when }) =>
      when === 'never' ? [reason] : [],
    )
    expect(new Set(CODES.map(([reason]) => reason))).toEqual(new Set(never))
  })
})
