import { DrainDeadline } from '@berth/contract'
import type { BerthError } from '@berth/kernel'
import { z } from 'zod'
import { invalidParam } from './error-envelope.ts'
import { parseObject } from './read-request.ts'

const DEADLINE_MAX_MS = 86_400_000

const deadline_ms = z.int().min(1).max(DEADLINE_MAX_MS)
const on_deadline = z.enum(['force', 'abort']).default('force')

/** What each command takes, in the names of the API. A pool that cannot wait has no deadline. */
export const commandSchemas = {
  empty: z.strictObject({}),
  bench: z.strictObject({ seconds: z.int().min(1).max(60).optional() }),
  ending: z.strictObject({ deadline_ms: deadline_ms.optional() }),
  drain: z.strictObject({ deadline_ms, on_deadline }),
  reload: z.strictObject({
    new_model_ref: z.string().min(1).max(4_096).optional(),
    deadline_ms: deadline_ms.optional(),
    on_deadline,
  }),
} as const

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
