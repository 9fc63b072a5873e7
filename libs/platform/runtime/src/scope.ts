import { BerthError } from '@berth/kernel'

/** Owns the resources of a process life and gives them back in reverse order. */
export interface Scope {
  /** Aborted the moment shutdown begins, before anything is released. */
  readonly signal: AbortSignal
  /**
   * Keeps a resource until the scope ends, and returns it. When the scope has ended already the
   * resource is released at once and the call throws `CANCELLED`, so that a start which loses the
   * race against a signal leaks nothing.
   */
  use<T extends AsyncDisposable | Disposable>(resource: T): T
  /** Calls `release` when the scope ends. Same rule as `use` when it has ended already. */
  defer(release: () => void | Promise<void>): void
}

type Release = () => void | PromiseLike<void>

/**
 * A scope that is ended by its own `Symbol.asyncDispose`. Every release runs, one at a time, even
 * when others throw; what they threw comes out as one error (an `AggregateError` of several).
 * Disposing twice waits for the first.
 */
export const createScope = (): Scope & AsyncDisposable => {
  const controller = new AbortController()
  const releases: Release[] = []
  const errors: unknown[] = []
  let ending: Promise<void> | undefined

  const runAll = async () => {
    for (let release = releases.pop(); release; release = releases.pop()) {
      try {
        await release()
      } catch (error) {
        errors.push(error)
      }
    }
    if (errors.length === 1) throw errors[0]
    if (errors.length > 1) throw new AggregateError(errors, `${errors.length} releases failed`)
  }

  const defer = (release: Release) => {
    releases.push(release)
    if (!ending) return
    ending = ending.then(runAll)
    // Whoever disposes sees the failure; this copy only must not count as unhandled.
    ending.catch(() => undefined)
    throw new BerthError('CANCELLED', 'The scope has ended: the process is shutting down.')
  }

  return {
    signal: controller.signal,
    use: (resource) => {
      defer(() =>
        Symbol.asyncDispose in resource
          ? resource[Symbol.asyncDispose]()
          : resource[Symbol.dispose](),
      )
      return resource
    },
    defer,
    [Symbol.asyncDispose]: async () => {
      if (!ending) {
        controller.abort(new BerthError('CANCELLED', 'The process is shutting down.'))
        ending = runAll()
      }
      // A late `use` extends the end, so look again after each wait.
      for (let seen; seen !== ending;) {
        seen = ending
        await seen
      }
    },
  }
}
