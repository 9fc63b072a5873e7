import { describe, expect, it } from '@jest/globals'
import { createFleetView } from './fleet-view.ts'
import { isSharedBit, routeBit, routeMask } from './route-bits.ts'

const routes = (count: number) => Array.from({ length: count }, (_, n) => `/v1/r${n}`)

describe('bits of routes', () => {
  it('are none for a route no pool supports', () => {
    const view = createFleetView()
    routeMask(view, ['/a'])
    expect(routeBit(view, '/b')).toBe(0)
    expect(routeMask(view, ['/a']) & routeBit(view, '/a')).not.toBe(0)
  })

  it('stand for one route each, thirty of them, and then for all others together', () => {
    const view = createFleetView()
    const mask = routeMask(view, routes(40))
    const bits = routes(40).map((route) => routeBit(view, route))
    expect(new Set(bits.slice(0, 30)).size).toBe(30)
    expect(bits.map(isSharedBit).indexOf(true)).toBe(30)
    expect(bits.every((bit) => (mask & bit) === bit && bit > 0)).toBe(true)
    expect(view.routeBits.size).toBe(30)
  })
})
