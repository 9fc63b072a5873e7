import { BerthError } from '@berth/kernel'

/** What may be shown of a reference that may be anything. */
const SHOWN_CHARS = 120

/** The refusal of a reference: the fact, then the next step. */
export const refuseRef = (ref: string, fact: string, nextStep: string): BerthError =>
  new BerthError('INVALID_PARAMS', `Model reference ${shown(ref)} ${fact}. ${nextStep}`, {
    facts: { param: 'model' },
  })

/** As JSON, so that no control character reaches a terminal or a log. */
const shown = (ref: string): string => {
  const cut = ref.length > SHOWN_CHARS ? `${ref.slice(0, SHOWN_CHARS)}...` : ref
  return JSON.stringify(cut.toWellFormed()).replace(UNSEEN, '?')
}

const UNSEEN = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu
