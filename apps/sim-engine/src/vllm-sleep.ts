import { answerJson } from './answer-json.ts'
import type { Handler } from './dialect.ts'
import type { Engine } from './engine.ts'

/** Routes for developers, which put the weights aside; none where vLLM was not started for it. */
export const sleepRoutes = (engine: Engine): readonly (readonly [string, Handler])[] => {
  if (!engine.knobs.hasSleep) return []
  let isSleeping = false
  const become =
    (next: boolean): Handler =>
    ({ response }) => {
      if (isSleeping === next) engine.host.err('WARNING Executor is already so.')
      isSleeping = next
      // Whatever runs is aborted, as `mode=abort` does.
      if (next) for (const job of engine.jobs) job.abort()
      response.writeHead(200).end()
    }
  return [
    ['POST /sleep', become(true)],
    ['POST /wake_up', become(false)],
    ['GET /is_sleeping', ({ response }) => answerJson(response, 200, { is_sleeping: isSleeping })],
  ]
}
