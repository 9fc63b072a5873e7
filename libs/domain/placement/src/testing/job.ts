import type { ModelId } from '@berth/kernel'
import type { PlacementJob } from '../placement-job.ts'

/** A job for the model `m` without demands. */
export const plainJob = (draft: Partial<PlacementJob> = {}): PlacementJob => ({
  modelId: 'm' as ModelId,
  route: '/v1/chat/completions',
  requiredCtx: 0,
  promptTokens: 0,
  prefix: new Uint32Array(),
  kvHint: 'none',
  isStrict: false,
  samplerProfileVersion: '',
  engineVersion: '',
  modelDigest: '',
  expectedTokens: 100,
  queueAhead: 0,
  exclusions: [],
  exclusionsEndMs: 0,
  preferPools: [],
  avoidPools: [],
  requireDeviceMask: [],
  allowFallback: false,
  minVramBytes: 0,
  minComputeCap: 0,
  quantization: '',
  requiredExtensions: [],
  engine: '',
  ...draft,
})
