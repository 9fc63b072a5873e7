import type { JobFacts } from '../session.ts'
import { admitModel, ANYONE, type Access, type AccessDeps } from './access.ts'
import { estimateTokens } from './estimate-tokens.ts'
import { createPromptMeter } from './prefix-chain.ts'
import type { HeaderHints } from './read-headers.ts'
import { readRequest } from './read-request.ts'
import type { RequestContext } from './request-context.ts'

/** Reads what core has to know of a request, and lets go of its text. */
export type JobReader = (bytes: Uint8Array, hints: HeaderHints, context: RequestContext) => JobFacts

/** A reader that throws `INVALID_PARAMS` and `MODEL_NOT_ALLOWED`. */
export const createJobReader = (deps: AccessDeps): JobReader => {
  const measure = createPromptMeter()
  return (bytes, hints, { route, correlationId, access = ANYONE }) => {
    const { isStrict } = hints
    const request = readRequest(bytes, { route, isStrict })
    const { modelId, maxTokens, answers, isStream, prompt, seed } = request
    admitModel(deps, access, modelId)
    const measured = prompt && measure(prompt, access.tenant)
    return {
      ...jobOf(hints, access),
      modelId,
      route,
      correlationId,
      maxTokens,
      answers,
      stream: isStream,
      promptTokens: estimateTokens(prompt, measured?.utf8Bytes, bytes.length),
      ...(seed === undefined ? {} : { seed }),
      ...(measured === undefined ? {} : { prefixChain: measured.chain }),
    }
  }
}

/** What the headers and the key say of a job. */
const jobOf = (hints: HeaderHints, access: Access): JobFacts => ({
  class: hints.class,
  deadlineMs: hints.deadlineMs,
  sessionId: hints.sessionId,
  kvHint: hints.kvHint,
  isStrict: hints.isStrict,
  samplerProfileVersion: hints.samplerProfileVersion,
  expectedTokens: hints.expectedTokens,
  // Only what the client says itself: an estimate of ours must never refuse a job.
  requiredCtx: hints.requiredCtx,
  ...(Object.keys(hints.budget).length === 0 ? {} : { budget: hints.budget }),
  tenant: access.tenant,
  keyId: access.keyId,
})
