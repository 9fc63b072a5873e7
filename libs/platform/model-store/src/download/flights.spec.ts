import { describe, expect, it } from '@jest/globals'
import { createFlights } from './flights.ts'

const untilAborted = (signal: AbortSignal): Promise<never> =>
  new Promise((_, reject) =>
    signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true }),
  )

describe('a flight', () => {
  it('is one for all who are on it, late ones as well, who hear where it stands', async () => {
    const flights = createFlights<string>()
    let starts = 0
    let land = (_: string) => {}
    const work = async (
      _: AbortSignal,
      emit: (progress: { bytesDone: number; step: string }) => void,
    ) => {
      starts++
      emit({ bytesDone: 7, step: 'x' })
      return new Promise<string>((resolve) => (land = resolve))
    }
    const heard: number[] = []
    const first = flights.join('key', work, {})
    await Promise.resolve()
    const late = flights.join('key', work, { onProgress: ({ bytesDone }) => heard.push(bytesDone) })
    land('there')
    expect(await Promise.all([first, late])).toEqual(['there', 'there'])
    expect({ starts, heard }).toEqual({ starts: 1, heard: [7] })
    expect(flights.has('key')).toBe(false)
  })

  it('that all have left is waited for before the next one starts', async () => {
    const flights = createFlights<string>()
    const events: string[] = []
    const slow = async (signal: AbortSignal) => {
      await untilAborted(signal).catch(() => undefined)
      await new Promise((resolve) => setImmediate(resolve))
      events.push('ended')
      throw new Error('aborted')
    }
    const leaving = new AbortController()
    const left = flights.join('key', slow, { signal: leaving.signal })
    await Promise.resolve()
    leaving.abort(new Error('left'))
    await expect(left).rejects.toThrow('left')
    const next = flights.join('key', async () => (events.push('began'), 'there'), {})
    expect(await next).toBe('there')
    expect(events).toEqual(['ended', 'began'])
  })

  it('fails for all who are on it, and is tried anew by the next', async () => {
    const flights = createFlights<string>()
    const broken = async (): Promise<string> => Promise.reject(new Error('broken'))
    const both = [flights.join('key', broken, {}), flights.join('key', broken, {})]
    for (const one of both) await expect(one).rejects.toThrow('broken')
    expect(await flights.join('key', async () => 'there', {})).toBe('there')
  })

  it('is ended by close, which waits for its end', async () => {
    const flights = createFlights<never>()
    const flying = flights.join('key', untilAborted, {})
    await Promise.resolve()
    const seen = expect(flying).rejects.toThrow('closing')
    await flights.close(new Error('closing'))
    await seen
    expect(flights.has('key')).toBe(false)
  })
})
