import type { MessageInitShape } from '@bufbuild/protobuf'
import type { GetSessionResponseSchema } from '@berth/contract'
import { BerthError } from '@berth/kernel'
import type { Core } from './core-state.ts'
import { describeSession, type SessionName } from './sessions.ts'
import { toUint32, toWhole } from './wire-signal.ts'

/** What is kept of a session. Throws `SESSION_NOT_FOUND`, or that nobody knows yet. */
export const reportSession = (
  core: Readonly<Core>,
  name: SessionName,
): MessageInitShape<typeof GetSessionResponseSchema> => {
  const session = describeSession(core, name)
  if (!session) {
    assertRead(core)
    throw notFound(name.sessionId)
  }
  const { ttlMsRemaining, limit, remaining, poolId = '', ...rest } = session
  return {
    ...rest,
    poolId,
    ttlMsRemaining: toUint32(ttlMsRemaining),
    limit: toWhole(limit),
    remaining: toWhole(remaining),
  }
}

/** Throws while a new leader reads what the one before kept: nobody knows yet what there is. */
export const assertRead = ({ ledger }: Readonly<Core>): void => {
  if (ledger.state !== 'loaded') throw notReadYet()
}

const notFound = (sessionId: string) =>
  new BerthError(
    'SESSION_NOT_FOUND',
    `There is no session ${sessionId.slice(0, 128)}. The first request that names it begins it.`,
  )

const notReadYet = () =>
  new BerthError('CONTROL_PLANE_UNAVAILABLE', 'This core took over a moment ago. Ask again.', {
    retryAfterMs: 1_000,
  })
