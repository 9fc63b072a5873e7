import type { IncomingHttpHeaders } from 'node:http'
import type { BodyEdits } from './edit-body.ts'

const SEED = /^\d{1,19}$/

/**
 * The seed of a strict job: it travels as `Berth-Seed`, because the client gave none. Undefined
 * without that header, and for an engine that takes no seed.
 */
export const readSeed = (
  headers: IncomingHttpHeaders,
  field: string | undefined,
): BodyEdits['seed'] => {
  const seed = headers['berth-seed']
  if (field === undefined || typeof seed !== 'string' || !SEED.test(seed)) return undefined
  return { field, value: seed }
}
