import type { FetchProgress } from '../model-store.ts'

interface Passenger {
  readonly signal?: AbortSignal
  onProgress?(progress: FetchProgress): void
}

type Work<T> = (signal: AbortSignal, emit: (progress: FetchProgress) => void) => Promise<T>

interface Flight<T> {
  readonly done: Promise<T>
  readonly controller: AbortController
  readonly passengers: Set<Passenger>
  last: FetchProgress | undefined
}

/**
 * One piece of work for all who ask for it under one key. Each may leave by its own signal; the
 * work is aborted when the last has left.
 */
export const createFlights = <T>() => {
  const flights = new Map<string, Flight<T>>()

  const start = (key: string, work: Work<T>): Flight<T> => {
    const controller = new AbortController()
    const passengers = new Set<Passenger>()
    const emit = (progress: FetchProgress) => {
      flight.last = progress
      for (const passenger of passengers) passenger.onProgress?.(progress)
    }
    // A moment later: who starts it has to be on it when it reports.
    const begun = Promise.resolve().then(() => work(controller.signal, emit))
    const done = begun.finally(() => {
      if (flights.get(key) === flight) flights.delete(key)
    })
    // Those who wait see its end; when all have left, nobody does.
    done.catch(() => undefined)
    const flight: Flight<T> = { done, controller, passengers, last: undefined }
    flights.set(key, flight)
    return flight
  }

  const join = async (key: string, work: Work<T>, passenger: Passenger): Promise<T> => {
    passenger.signal?.throwIfAborted()
    const running = flights.get(key)
    // One that everybody left is on its way to its end: wait for that, so that two never overlap.
    if (running?.controller.signal.aborted) {
      await untilAborted(
        running.done.catch(() => undefined),
        passenger.signal,
      )
      return join(key, work, passenger)
    }
    const flight = running ?? start(key, work)
    flight.passengers.add(passenger)
    if (flight.last) passenger.onProgress?.(flight.last)
    try {
      return await untilAborted(flight.done, passenger.signal)
    } finally {
      flight.passengers.delete(passenger)
      if (flight.passengers.size === 0) flight.controller.abort(passenger.signal?.reason)
    }
  }

  return {
    join,
    has: (key: string): boolean => flights.has(key),
    /** Aborts everything and waits for the ends. */
    close: async (reason: Error): Promise<void> => {
      const all = [...flights.values()]
      for (const { controller } of all) controller.abort(reason)
      await Promise.allSettled(all.map(({ done }) => done))
    },
  }
}

const untilAborted = <T>(done: Promise<T>, signal: AbortSignal | undefined): Promise<T> => {
  if (!signal) return done
  return new Promise((resolve, reject) => {
    const leave = () => reject(signal.reason as Error)
    if (signal.aborted) return leave()
    signal.addEventListener('abort', leave, { once: true })
    const arrived = () => signal.removeEventListener('abort', leave)
    done.finally(arrived).then(resolve, reject)
  })
}
