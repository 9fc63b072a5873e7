import { JobClass, KvHint } from '@berth/contract'
import type { BerthError } from '@berth/kernel'
import { z } from 'zod'
import type { JobDraft } from '../placement-client.ts'
import { invalidParam } from './error-envelope.ts'
import { parseObject } from './read-request.ts'

const POOLS_MAX = 64
const count = z.int().min(0).max(0xffff_ffff).default(0)
const bytes = z.int().min(0)
const word = z.string().max(256).default('')
const pools = z.array(z.string().min(1).max(63)).max(POOLS_MAX).default([])
const words = z.array(z.string().min(1).max(256)).max(POOLS_MAX).default([])
const seed = z
  .union([z.int().min(0), z.string().regex(/^\d{1,19}$/, 'expected a whole number')])
  .transform(BigInt)
/** `8.6`, or the same as a text. */
const capability = z.union([
  z.number().min(0),
  z
    .string()
    .regex(/^\d{1,3}(\.\d{1,3})?$/, 'expected a number such as 8.6')
    .transform(Number),
])

const placementSchema = z
  .strictObject({
    mode: z.enum(['pin', 'prefer', 'auto']).optional(),
    pin_pool_id: z.string().min(1).max(63).optional(),
    prefer_pools: pools,
    avoid_pools: pools,
    require_device_mask: words,
    allow_fallback: z.boolean().default(true),
  })
  .refine(({ mode, pin_pool_id }) => mode !== 'pin' || pin_pool_id !== undefined, {
    path: ['pin_pool_id'],
    message: 'mode pin needs a pool',
  })
  .refine(({ mode, pin_pool_id }) => !mode || mode === 'pin' || pin_pool_id === undefined, {
    path: ['pin_pool_id'],
    message: 'only mode pin takes it',
  })
  .refine(({ mode, prefer_pools }) => mode !== 'prefer' || prefer_pools.length > 0, {
    path: ['prefer_pools'],
    message: 'mode prefer needs a pool',
  })

const requirementsSchema = z.strictObject({
  min_vram_bytes: bytes.default(0),
  quantization: word,
  min_compute_cap: capability.default(0),
  required_extensions: words,
})

/** A job in the names of `POST /v1/tasks`, without its text. */
export const explainBodySchema = z.strictObject({
  job: z.strictObject({
    model_id: z.string().min(1).max(256),
    workload: z.enum(['completion', 'embedding', 'rerank']).default('completion'),
    route: z
      .string()
      .regex(/^\/v1\/[a-z/_-]{1,60}$/, 'expected a route such as /v1/completions')
      .optional(),
    engine: word,
    required_ctx: count,
    priority: z.enum(['interactive', 'batch']).default('interactive'),
    max_tokens: count,
    expected_tokens: count,
    prompt_tokens: count,
    deadline_ms: count,
    session_id: word,
    kv_hint: z.enum(['reuse', 'cold']).optional(),
    determinism: z.enum(['strict', 'best_effort']).default('best_effort'),
    seed: seed.optional(),
    sampler_profile_version: word,
    engine_version: word,
    model_digest: word,
    est_kv_bytes: bytes.optional(),
    placement: placementSchema.prefault({}),
    requirements: requirementsSchema.prefault({}),
  }),
})

type Job = z.infer<typeof explainBodySchema>['job']

/** The job of an explain request. Throws `INVALID_PARAMS` that names the field. */
export const readExplainBody = (body: Uint8Array): JobDraft => {
  const read = explainBodySchema.safeParse(parseObject(body).body)
  if (!read.success) throw toError(read.error)
  return toJob(read.data.job)
}

const toJob = (job: Job): JobDraft => ({
  modelId: job.model_id,
  route: job.route ?? ROUTES[job.workload],
  class: job.priority === 'batch' ? JobClass.BATCH : JobClass.INTERACTIVE,
  requiredCtx: job.required_ctx,
  maxTokens: job.max_tokens,
  expectedTokens: job.expected_tokens,
  promptTokens: job.prompt_tokens,
  deadlineMs: job.deadline_ms,
  sessionId: job.session_id,
  kvHint: job.kv_hint === undefined ? KvHint.UNSPECIFIED : KV_HINTS[job.kv_hint],
  isStrict: job.determinism === 'strict',
  samplerProfileVersion: job.sampler_profile_version,
  engineVersion: job.engine_version,
  modelDigest: job.model_digest,
  ...(job.seed === undefined ? {} : { seed: job.seed }),
  ...(job.est_kv_bytes === undefined ? {} : { estKvBytes: BigInt(job.est_kv_bytes) }),
  placement: {
    pinPoolId: job.placement.pin_pool_id ?? '',
    preferPools: job.placement.prefer_pools,
    avoidPools: job.placement.avoid_pools,
    requireDeviceMask: job.placement.require_device_mask,
    allowFallback: job.placement.allow_fallback,
  },
  requirements: {
    engine: job.engine,
    minVramBytes: BigInt(job.requirements.min_vram_bytes),
    quantization: job.requirements.quantization,
    minComputeCap: job.requirements.min_compute_cap,
    requiredExtensions: job.requirements.required_extensions,
  },
})

const ROUTES = {
  completion: '/v1/chat/completions',
  embedding: '/v1/embeddings',
  rerank: '/v1/rerank',
} as const

const KV_HINTS = { reuse: KvHint.REUSE, cold: KvHint.COLD } as const

/** The first fault alone: the next may be a consequence. */
const toError = ({ issues: [issue] }: z.ZodError): BerthError => {
  if (issue?.code === 'unrecognized_keys') {
    const field = [...issue.path, issue.keys[0]].join('.')
    return invalidParam(field, `There is no field ${field}.`)
  }
  const field = issue?.path.join('.') || 'body'
  return invalidParam(field, `The field ${field} is wrong: ${issue?.message ?? 'invalid'}.`)
}
