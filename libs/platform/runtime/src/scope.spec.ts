import { describe, expect, it } from '@jest/globals'
import { createScope } from './scope.ts'

describe('a scope', () => {
  it('releases in reverse order, each after the one before it has finished', async () => {
    const scope = createScope()
    const events: string[] = []
    scope.defer(() => {
      events.push('first')
    })
    scope.use({
      [Symbol.asyncDispose]: async () => {
        events.push('second begins')
        await new Promise((resolve) => setImmediate(resolve))
        events.push('second ends')
      },
    })
    scope.use({ [Symbol.dispose]: () => void events.push('third') })
    await scope[Symbol.asyncDispose]()
    expect(events).toEqual(['third', 'second begins', 'second ends', 'first'])
  })

  it('tells of the shutdown before it releases anything', async () => {
    const scope = createScope()
    let abortedAtRelease = false
    scope.defer(() => {
      abortedAtRelease = scope.signal.aborted
    })
    expect(scope.signal.aborted).toBe(false)
    await scope[Symbol.asyncDispose]()
    expect(abortedAtRelease).toBe(true)
  })

  it('releases everything though some releases throw, and throws what they threw', async () => {
    const scope = createScope()
    const released: number[] = []
    for (const id of [1, 2, 3])
      scope.defer(() => {
        released.push(id)
        if (id !== 2) throw new Error(`release ${id}`)
      })
    const error = await scope[Symbol.asyncDispose]().then(
      () => undefined,
      (thrown: unknown) => thrown as AggregateError,
    )
    expect(released).toEqual([3, 2, 1])
    expect(error?.errors.map(String)).toEqual(['Error: release 3', 'Error: release 1'])
  })

  it('releases once, and a second end waits for the first', async () => {
    const scope = createScope()
    let released = 0
    scope.defer(async () => {
      await new Promise((resolve) => setImmediate(resolve))
      released += 1
    })
    void scope[Symbol.asyncDispose]()
    await scope[Symbol.asyncDispose]()
    expect(released).toBe(1)
  })

  it('releases at once what comes after its end, and refuses it', async () => {
    const scope = createScope()
    await scope[Symbol.asyncDispose]()
    let released = false
    const late = { [Symbol.dispose]: () => void (released = true) }
    expect(() => scope.use(late)).toThrow(expect.objectContaining({ reason: 'CANCELLED' }))
    await scope[Symbol.asyncDispose]()
    expect(released).toBe(true)
  })
})
