import type { FleetView } from './fleet-view.ts'

/** Numbers have 31 bits that compare without a sign; the last is shared by all further routes. */
const OWN_BITS = 30
const SHARED_BIT = 1 << OWN_BITS

/**
 * The bit of a route in `PoolView.routeMask`; 0 for one that no pool ever supported. Routes beyond
 * the thirtieth share `isSharedBit`: there the list in the snapshot decides.
 */
export const routeBit = (view: FleetView, route: string): number => {
  const bit = view.routeBits.get(route)
  if (bit !== undefined) return bit
  return view.routeBits.size < OWN_BITS ? 0 : SHARED_BIT
}

/** Whether a bit stands for more than one route. */
export const isSharedBit = (bit: number): boolean => bit === SHARED_BIT

/** The bits of a pool's routes. New routes get theirs here. */
export const routeMask = (view: FleetView, routes: readonly string[]): number => {
  let mask = 0
  for (const route of routes) {
    const { routeBits } = view
    if (!routeBits.has(route) && routeBits.size < OWN_BITS)
      routeBits.set(route, 1 << routeBits.size)
    mask |= routeBits.get(route) ?? SHARED_BIT
  }
  return mask
}
