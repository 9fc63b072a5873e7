import { setImmediate as turn } from 'node:timers/promises'
import type { Engine } from './engine.ts'
import type { Job } from './job.ts'
import { pause } from './pause.ts'

const TOKENS_PER_TURN = 32

/** The tokens of an answer at the engine's pace. Ends early when the job is aborted. */
export async function* generate(engine: Engine, job: Job): AsyncGenerator<string> {
  await pause(engine.knobs.firstTokenMs, job.signal)
  let dueAtMs = performance.now()
  for (let index = 0; index < job.answer.length; index++) {
    while ((engine.knobs.isHung || engine.isFrozen) && !job.signal.aborted) {
      await engine.untilChange(job.signal)
    }
    const { tokensPerS } = engine.knobs
    if (tokensPerS > 0) {
      // The first token's time is `firstTokenMs`; each later one is due one interval on.
      if (index > 0) dueAtMs += 1000 / tokensPerS
      await pause(dueAtMs - performance.now(), job.signal)
    } else if (index % TOKENS_PER_TURN === TOKENS_PER_TURN - 1) {
      // Lets the loop see a client that left.
      await turn()
    }
    if (job.signal.aborted) return
    job.firstTokenAtMs ??= performance.now()
    yield job.answer.tokenAt(index)
  }
}
