import { setTimeout as pause } from 'node:timers/promises'
import { Agent, request } from 'undici'

export interface Load {
  readonly url: string
  readonly body: string
  readonly perSecond: number
  readonly seconds: number
}

export interface LoadResult {
  readonly sent: number
  readonly failed: number
  /**
   * From when each request was due, so that a slow answer cannot hide the wait of the next; from
   * its sending where a timer fired early.
   */
  readonly latenciesMs: readonly number[]
}

/** Open loop: a request is sent when it is due, whatever became of those before it. */
export const runConstantRate = async (load: Load): Promise<LoadResult> => {
  const agent = new Agent({ pipelining: 1 })
  const latenciesMs: number[] = []
  let failed = 0
  const send = async (dueMs: number) => {
    const fromMs = Math.min(dueMs, performance.now())
    try {
      const answer = await request(load.url, {
        method: 'POST',
        dispatcher: agent,
        headers: { 'content-type': 'application/json' },
        body: load.body,
      })
      await answer.body.dump()
      if (answer.statusCode === 200) latenciesMs.push(performance.now() - fromMs)
      else failed += 1
    } catch {
      // Counted, and told in the result.
      failed += 1
    }
  }

  const total = load.perSecond * load.seconds
  const startMs = performance.now()
  const pending: Promise<void>[] = []
  for (let i = 0; i < total; i++) {
    const dueMs = startMs + (i * 1_000) / load.perSecond
    const earlyMs = dueMs - performance.now()
    if (earlyMs > 0) await pause(earlyMs)
    pending.push(send(dueMs))
  }
  await Promise.all(pending)
  await agent.close()
  return { sent: total, failed, latenciesMs }
}
