import { describe, expect, it } from '@jest/globals'
import { every, sleep } from './clock.ts'
import { createSimClock } from './testing/sim-clock.ts'

describe('SimClock', () => {
  it('fires timers in time order and, at one time, in the order they were armed', async () => {
    const clock = createSimClock()
    const fired: string[] = []
    clock.after(20, () => fired.push('late'))
    clock.after(10, () => fired.push('first'))
    clock.after(10, () => fired.push('second'))
    await clock.advance(15)
    expect(fired).toEqual(['first', 'second'])
    expect(clock.now()).toBe(15)
    expect(clock.pending()).toBe(1)
    expect(clock.nextAt()).toBe(20)
  })

  it('runs what a timer made ready before the next timer fires', async () => {
    const clock = createSimClock()
    const seen: string[] = []
    void sleep(clock, 10).then(() => seen.push('continued'))
    clock.after(11, () => seen.push('next'))
    await clock.advance(20)
    expect(seen).toEqual(['continued', 'next'])
  })

  it('never fires a cancelled timer', async () => {
    const clock = createSimClock()
    let fired = 0
    const cancel = clock.after(5, () => fired++)
    cancel()
    cancel()
    await clock.advance(10)
    expect(fired).toBe(0)
  })

  it('keeps durations when the wall clock is stepped', async () => {
    const clock = createSimClock(1_000)
    clock.stepWall(-500)
    await clock.advance(100)
    expect(clock.now()).toBe(100)
    expect(clock.wall()).toBe(600)
  })
})

describe('sleep', () => {
  it('rejects with the reason of the signal and disarms its timer', async () => {
    const clock = createSimClock()
    const controller = new AbortController()
    const slept = sleep(clock, 1_000, controller.signal)
    controller.abort(new Error('left'))
    await expect(slept).rejects.toThrow('left')
    expect(clock.pending()).toBe(0)
  })

  it('rejects at once when the signal is aborted already', async () => {
    const clock = createSimClock()
    await expect(sleep(clock, 1, AbortSignal.abort(new Error('gone')))).rejects.toThrow('gone')
    expect(clock.pending()).toBe(0)
  })
})

describe('every', () => {
  it('repeats until cancelled, also from inside its own call', async () => {
    const clock = createSimClock()
    let calls = 0
    const cancel = every(clock, 10, () => {
      calls++
      if (calls === 3) cancel()
    })
    await clock.advance(100)
    expect(calls).toBe(3)
    expect(clock.pending()).toBe(0)
  })
})
