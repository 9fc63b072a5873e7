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
    // A strict job belongs to one replica by its seed; one that reuses a cache may wait for it.
    spec.isStrict && [
      String(spec.seed),
      spec.samplerProfileVersion,
      spec.engineVersion,
      spec.modelDigest,
    ],
    spec.kvHint === 'reuse' && spec.sessionId,
    exclusions.length > 0 && jobId,
  ])
