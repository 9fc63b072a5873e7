import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import { createHeap } from './heap.ts'

interface Item {
  readonly id: number
  worth: number
}

describe('a heap', () => {
  it('has the least item first, whoever comes, changes or leaves', () => {
    const steps = fc.array(
      fc.record({
        kind: fc.constantFrom('put', 'put', 'drop'),
        id: fc.nat(12),
        worth: fc.nat(30),
      }),
      { maxLength: 80 },
    )
    fc.assert(
      fc.property(steps, (script) => {
        const all = Array.from({ length: 13 }, (_, id): Item => ({ id, worth: 0 }))
        const heap = createHeap<Item>((a, b) => a.worth - b.worth || a.id - b.id)
        const held = new Set<Item>()
        for (const { kind, id, worth } of script) {
          const item = all[id]!
          item.worth = kind === 'put' ? worth : item.worth
          if (kind === 'put') held.add(item)
          else held.delete(item)
          if (kind === 'put') heap.put(item)
          else heap.drop(item)
          const sorted = [...held].sort((a, b) => a.worth - b.worth || a.id - b.id)
          expect(heap.first).toBe(sorted[0])
          expect(new Set(heap.items)).toEqual(held)
          expect(heap.items).toHaveLength(held.size)
        }
      }),
    )
  })
})
