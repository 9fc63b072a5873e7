import { z } from 'zod'
import { SCOPES, type AccessKey } from './access-key.ts'

const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/
const nameRule = 'expected 1 to 63 of letters, digits and ._- that begin with a letter or digit'
const KEYS_MAX = 10_000
const MODELS_MAX = 1_000
const MICROS = 1_000_000

const amount = z.number().int().positive().max(Number.MAX_SAFE_INTEGER).optional()

const keySchema = z
  .strictObject({
    id: z.string().regex(NAME, nameRule),
    sha256: z.string().regex(/^[0-9a-f]{64}$/, 'expected 64 hexadecimal digits in lower case'),
    tenant: z.string().regex(NAME, nameRule),
    scopes: z.array(z.enum(SCOPES)).min(1),
    models: z.array(z.string().min(1).max(256)).min(1).max(MODELS_MAX).optional(),
    requests_per_minute: amount,
    tokens_per_day: amount,
    time_ms_per_day: amount,
    /** In the unit prices are given in. */
    cost_per_day: z.number().positive().max(1e9).optional(),
  })
  .transform((entry): AccessKey => ({
    id: entry.id,
    sha256: Uint8Array.from(Buffer.from(entry.sha256, 'hex')),
    tenant: entry.tenant,
    scopes: new Set(entry.scopes),
    ...(entry.models === undefined ? {} : { models: new Set(entry.models) }),
    budget: {
      ...defined('requestsPerMinute', entry.requests_per_minute),
      ...defined('tokensPerDay', entry.tokens_per_day),
      ...defined('timeMsPerDay', entry.time_ms_per_day),
      ...defined('costMicrosPerDay', toMicros(entry.cost_per_day)),
    },
  }))

const toMicros = (cost: number | undefined) =>
  cost === undefined ? undefined : Math.max(1, Math.round(cost * MICROS))

const defined = <K extends string>(key: K, value: number | undefined) =>
  (value === undefined ? {} : { [key]: value }) as { readonly [P in K]?: number }

/** The whole document. Ids and hashes are unique. */
export const keyFileSchema = z.strictObject({
  keys: z
    .array(keySchema)
    .max(KEYS_MAX)
    .superRefine((keys, context) => {
      refuseRepeats(keys, context, 'id', (key) => key.id)
      refuseRepeats(keys, context, 'sha256', (key) => Buffer.from(key.sha256).toString('hex'))
    }),
})

const refuseRepeats = (
  keys: readonly AccessKey[],
  context: z.core.$RefinementCtx,
  field: 'id' | 'sha256',
  valueOf: (key: AccessKey) => string,
) => {
  const first = new Map<string, number>()
  keys.forEach((key, index) => {
    const value = valueOf(key)
    const earlier = first.get(value)
    if (earlier === undefined) return void first.set(value, index)
    const message = `is the same as that of keys[${earlier}]`
    context.addIssue({ code: 'custom', path: [index, field], message })
  })
}
