import type { Ask } from './job-spec.ts'

/**
 * Jobs of a model with equal keys have the same pools to go to, or fewer when they need more
 * context: what placement tells one of them to wait for, the others wait for too.
 */
export const demandKey = ({ jobId, spec, exclusions }: Ask): string =>
  JSON.stringify([
    spec.route,
    spec.pinPoolId,
    spec.preferPools,
    spec.allowFallback,
    spec.avoidPools,
    spec.requireDeviceMask,
    spec.minVramBytes,
    spec.minComputeCap,
    spec.quantization,
    spec.requiredExtensions,
    spec.engine,
    spec.estKvBytes,
    // Not the seed: it chooses among the pools that are free.
    spec.isStrict && [spec.samplerProfileVersion, spec.engineVersion, spec.modelDigest],
    // May wait for its session's pool where others would not.
    spec.kvHint === 'reuse' && spec.sessionId,
    exclusions.length > 0 && jobId,
  ])
