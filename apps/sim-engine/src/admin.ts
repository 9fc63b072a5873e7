import { optionsOfKnobs, patchKnobs, type Knobs } from '@berth/sim-text'
import { answerJson } from './answer-json.ts'
import type { Call, EngineDialect, Handler } from './dialect.ts'
import { loadOf, type Engine } from './engine.ts'
import { armFailures } from './failures.ts'

const SHOWN_REQUESTS = 1000

/** The routes no engine has: knobs that turn while it runs, and what it did. No key needed. */
export const adminRoute = (
  engine: Engine,
  dialect: EngineDialect,
  route: string,
): Handler | undefined => {
  if (route === 'GET /__sim/state') return (call) => showState(engine, call)
  if (route === 'POST /__sim/knobs') return (call) => turnKnobs(engine, dialect, call)
  return undefined
}

const showState = (engine: Engine, { url, response }: Call): void => {
  const asked = Number(url.searchParams.get('last') ?? SHOWN_REQUESTS)
  const { counters } = engine
  answerJson(response, 200, {
    pid: engine.host.pid,
    phase: engine.phase,
    port: engine.port,
    orphan_pid: engine.orphanPid ?? null,
    device_mask: engine.host.deviceMask,
    identity: identityOf(engine),
    ...(engine.host.told ? { told: engine.host.told } : {}),
    knobs: shown(engine.knobs),
    counters: {
      requests: counters.requests,
      ...loadOf(engine),
      done: counters.done,
      aborted: counters.aborted,
      dropped: counters.dropped,
      rejected: counters.rejected,
      prompt_tokens: counters.promptTokens,
      tokens_sent: counters.sentTokens,
    },
    requests: engine.log.last(Number.isSafeInteger(asked) && asked >= 0 ? asked : SHOWN_REQUESTS),
  })
}

const identityOf = ({ host }: Engine) => {
  const { capEff, capBnd, noNewPrivs, ...plain } = host.identity()
  return { ...plain, cap_eff: capEff, cap_bnd: capBnd, no_new_privs: noNewPrivs }
}

const turnKnobs = (engine: Engine, dialect: EngineDialect, { body, response }: Call): void => {
  const result = patchKnobs(engine.knobs, body)
  if (!result.ok) return answerJson(response, 400, { problems: result.problems })
  const before = engine.knobs
  engine.knobs = result.knobs
  engine.changed()
  // What ends the process waits until the caller has its answer.
  response.once('close', () => armFailures(engine, dialect, before))
  answerJson(response, 200, shown(result.knobs))
}

/** These routes ask for no key, so they do not tell it either. */
const shown = (knobs: Readonly<Knobs>) =>
  optionsOfKnobs({ ...knobs, apiKey: knobs.apiKey === '' ? '' : '<redacted>' })
