import type { JobId, ModelId } from '@berth/kernel'
import type { JobOffer } from '../waiting-job.ts'

/** An interactive job for the model `m` that costs 10 tokens and waits as long as it takes. */
export const jobOf = (id: string, draft: Partial<JobOffer<null>> = {}): JobOffer<null> => ({
  jobId: id as JobId,
  modelId: 'm' as ModelId,
  jobClass: 'interactive',
  tenant: '',
  costTokens: 10,
  arrivedAtMs: 0,
  expiresAtMs: Infinity,
  payload: null,
  ...draft,
})
