import { BerthError, messageOf, sleep, unreachable } from '@berth/kernel'
import { SourceFailure } from '../egress/source-failure.ts'
import type { Asked, StoreParts } from '../store-parts.ts'
import type { FetchPlan, FileCheck } from './fetch-plan.ts'
import { planHttps } from './https-source.ts'
import { planHub } from './hub-source.ts'
import { planOci } from './oci-source.ts'
import { planOllama } from './ollama-source.ts'

const DELAY_MAX_MS = 30_000

/** Asks the source of a model what has to be fetched, more than once where it does not answer. */
export const planFetch = async (
  { source, clock, retry }: StoreParts,
  { parsed, options }: Asked,
  signal: AbortSignal,
): Promise<FetchPlan> => {
  const planOnce = (): FetchPlan | Promise<FetchPlan> => {
    switch (parsed.scheme) {
      case 'hf':
        return planHub(source, parsed, options, signal)
      case 'https':
        return planHttps(source, parsed, checkOf(options.digest))
      case 'ollama':
        return planOllama(source, parsed, options, signal)
      case 'oci':
        return planOci(source, parsed, options, signal)
      case 'file':
        throw new BerthError('INTERNAL', 'A file of this machine is not fetched.')
      default:
        return unreachable(parsed)
    }
  }
  for (let failures = 1; ; failures++) {
    try {
      return withDigest(await planOnce(), options.digest)
    } catch (error) {
      signal.throwIfAborted()
      if (!(error instanceof SourceFailure)) throw error
      if (failures > retry.maxFailures)
        throw new BerthError(
          'MODEL_LOAD_FAILED',
          `The source of ${parsed.canonical} could not be asked: ${messageOf(error)}. Try again when it answers.`,
          { cause: error },
        )
      const delayMs = error.retryAfterMs ?? retry.firstDelayMs * 2 ** (failures - 1)
      await sleep(clock, Math.min(delayMs, DELAY_MAX_MS), signal)
    }
  }
}

const checkOf = (digest: string | undefined): FileCheck | undefined =>
  digest === undefined ? undefined : { kind: 'sha256', hex: digest.slice('sha256:'.length) }

/** A digest that the caller knows binds the source: what it announces has to be the same. */
const withDigest = (plan: FetchPlan, digest: string | undefined): FetchPlan => {
  const check = checkOf(digest)
  if (!check) return plan
  const [file, ...others] = plan.files
  if (!file || others.length > 0)
    throw new BerthError(
      'INVALID_PARAMS',
      `A digest is of one file, and this model has ${plan.files.length}. Leave it out: the source's own digests are verified.`,
      { facts: { param: 'digest' } },
    )
  if (file.check?.kind === 'sha256' && file.check.hex !== check.hex)
    throw new BerthError(
      'UNTRUSTED_ARTIFACT',
      `The source has ${file.name} with digest sha256:${file.check.hex}, and ${digest} is wanted. Correct the digest or the reference.`,
    )
  return { ...plan, files: [{ ...file, check }] }
}
