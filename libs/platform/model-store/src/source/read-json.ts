import { BerthError } from '@berth/kernel'
import type { z } from 'zod'
import type { GetAnswer } from '../egress/http-get.ts'
import { readBody } from '../egress/read-body.ts'
import { passingFailure } from '../egress/passing-failure.ts'
import type { SourceDeps } from './source.ts'

/** Longest list of files or manifest that is read. */
const MAX_BYTES = 16 * 1024 * 1024

/** An answer in JSON, and its bytes for a digest. */
export interface JsonAnswer<T> {
  readonly value: T
  readonly bytes: Buffer
}

/** Reads a 200; anything else is what `refuse` makes of it, or a `SourceFailure` that may pass. */
export const readJson = async <T>(
  { clock, silenceMs }: Pick<SourceDeps, 'clock' | 'silenceMs'>,
  answer: GetAnswer,
  how: { readonly schema: z.ZodType<T>; refuse(answer: GetAnswer): Error },
): Promise<JsonAnswer<T>> => {
  const { status, url, body } = answer
  if (status !== 200) {
    body.destroy()
    throw passingFailure(answer) ?? how.refuse(answer)
  }
  const bytes = await readBody(answer, { maxBytes: MAX_BYTES, clock, silenceMs })
  const { data } = how.schema.safeParse(parse(bytes))
  if (data === undefined)
    throw new BerthError(
      'MODEL_LOAD_FAILED',
      `${url.host} answers with something else than a list of files. Check that it is a model source.`,
    )
  return { value: data, bytes }
}

const parse = (bytes: Buffer): unknown => {
  try {
    return JSON.parse(bytes.toString('utf8'))
  } catch {
    // Not JSON is no answer, which the caller says.
    return undefined
  }
}
