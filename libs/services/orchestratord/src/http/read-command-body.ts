import { DrainDeadline } from '@berth/contract'
import type { BerthError } from '@berth/kernel'
import { z } from 'zod'
import { invalidParam } from './error-envelope.ts'
import { parseObject } from './read-request.ts'

const DEADLINE_MAX_MS = 86_400_000

const deadline_ms = z.int().min(1).max(DEADLINE_MAX_MS)
/** As `model` in the pools file. */
const model_ref = z.string().min(1).max(4_096)
/** Of a single file. */
const digest = z.string().regex(/^sha256:[0-9a-f]{64}$/, 'must be sha256: and 64 hex digits')
const TTL_MAX_S = 30 * 86_400
const on_deadline = z.enum(['force', 'abort']).default('force')

/** What each command takes, in the names of the API. A pool that cannot wait has no deadline. */
export const commandSchemas = {
  empty: z.strictObject({}),
  bench: z.strictObject({ seconds: z.int().min(1).max(60).optional() }),
  ending: z.strictObject({ deadline_ms: deadline_ms.optional() }),
  drain: z.strictObject({ deadline_ms, on_deadline }),
  reload: z.strictObject({
    new_model_ref: model_ref.optional(),
    deadline_ms: deadline_ms.optional(),
    on_deadline,
  }),
  load: z.strictObject({
    model_ref,
    model_id: z.string().min(1).max(256).optional(),
    pin: z.boolean().default(false),
    dry_run: z.boolean().default(false),
    ttl_s: z.int().min(1).max(TTL_MAX_S).optional(),
    deadline_ms: deadline_ms.optional(),
  }),
  pull: z.strictObject({ model_ref, digest: digest.optional() }),
  catalogModel: z.strictObject({
    model_id: z.string().min(1).max(256),
    model_ref,
    digest: digest.optional(),
    memory_bytes: z.int().min(1).optional(),
  }),
  catalogState: z.strictObject({ state: z.enum(['Active', 'Retired']) }),
  fit: z.strictObject({
    model_ref: model_ref.optional(),
    pool_id: z.string().min(1).max(128).optional(),
  }),
} as const

const unloadQuery = z.strictObject({
  deadline_ms: z.coerce.number().pipe(deadline_ms).optional(),
  force: z
    .enum(['true', 'false', '1', '0', ''])
    .default('false')
    .transform((text) => text !== 'false' && text !== '0'),
})

/** The query of an unload. Throws `INVALID_PARAMS` naming the parameter. */
export const readUnloadQuery = (query: unknown): z.infer<typeof unloadQuery> => {
  const read = unloadQuery.safeParse(query)
  if (read.success) return read.data
  throw toError(read.error)
}

/** The reference that `?ref=` names. Throws `INVALID_PARAMS`. */
export const readRefQuery = ({ ref }: { readonly [name: string]: unknown }): string => {
  const read = model_ref.safeParse(ref)
  if (read.success) return read.data
  throw invalidParam('ref', 'Name the model in ?ref=, as model in the pools file does.')
}

/** `on_deadline` as it travels. */
export const DRAIN_DEADLINE = {
  force: DrainDeadline.FORCE,
  abort: DrainDeadline.ABORT,
} as const

/** The body of a command; none at all is an empty one. Throws `INVALID_PARAMS` naming the field. */
export const readCommandBody = <T extends z.ZodType>(schema: T, body: Uint8Array): z.infer<T> => {
  const read = schema.safeParse(body.length === 0 ? {} : parseObject(body).body)
  if (read.success) return read.data
  throw toError(read.error)
}

/** The first fault alone: the next may be a consequence. */
const toError = ({ issues: [issue] }: z.ZodError): BerthError => {
  if (issue?.code === 'unrecognized_keys') {
    const field = [...issue.path, issue.keys[0]].join('.')
    return invalidParam(field, `There is no field ${field}. Leave it out.`)
  }
  const field = issue?.path.join('.') || 'body'
  return invalidParam(field, `The field ${field} is wrong: ${issue?.message ?? 'invalid'}.`)
}
