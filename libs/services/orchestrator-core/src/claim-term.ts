import type { Kv } from '@berth/bus'

const KEY = 'highest'

/**
 * Takes a term for whoever holds the lease: at least `floor`, above every term that was taken on
 * this bus before, and nobody else's. Rejects with `REVISION_CONFLICT` when another core took one
 * at the same moment.
 *
 * The revision of the lease alone would not do: a core that has seen a higher term leads above its
 * revision, where the revision of the next lease may be.
 */
export const claimTerm = async (kv: Kv, floor: number, coreId: string): Promise<number> => {
  const entry = await kv.get(KEY)
  const term = Math.max(floor, entry ? readTerm(entry.value) + 1 : 0)
  // Names its writer, so that a write whose answer was lost is known again.
  const value = new TextEncoder().encode(JSON.stringify({ term, coreId }))
  if (entry) await kv.update(KEY, value, entry.revision)
  else await kv.create(KEY, value)
  return term
}

const readTerm = (value: Uint8Array): number => {
  const { term } = JSON.parse(new TextDecoder().decode(value)) as { readonly term: number }
  return term
}
