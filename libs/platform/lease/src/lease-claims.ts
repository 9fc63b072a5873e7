/** What a lease token says, and the ingress checks. */
export interface LeaseClaims {
  readonly leaseId: string
  readonly hostId: string
  readonly poolId: string
  /** The life of the agent the lease was made for. */
  readonly epoch: number
  /** The leadership of core that made it. */
  readonly term: number
  readonly modelId: string
  /** Unix time in milliseconds. The reader compares: a token that is read is not yet in force. */
  readonly expiresAtMs: number
}

/** Claims in the order they travel: a JSON array, so that names cost nothing. */
export const encodeClaims = (claims: LeaseClaims): string =>
  JSON.stringify([
    claims.leaseId,
    claims.hostId,
    claims.poolId,
    claims.epoch,
    claims.term,
    claims.modelId,
    claims.expiresAtMs,
  ])

/** The claims, or `undefined` when the text is anything else. Never throws. */
export const decodeClaims = (text: string): LeaseClaims | undefined => {
  const parsed = parseJson(text)
  if (!Array.isArray(parsed) || parsed.length !== 7) return undefined
  const [leaseId, hostId, poolId, epoch, term, modelId, expiresAtMs] = parsed as unknown[]
  if (!isText(leaseId) || !isText(hostId) || !isText(poolId) || !isText(modelId)) return undefined
  if (!isCount(epoch) || !isCount(term) || !isCount(expiresAtMs)) return undefined
  return { leaseId, hostId, poolId, epoch, term, modelId, expiresAtMs }
}

const isText = (value: unknown): value is string => typeof value === 'string' && value !== ''
const isCount = (value: unknown): value is number =>
  Number.isSafeInteger(value) && (value as number) >= 0

const parseJson = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    // Not JSON is an answer here: the text comes from outside.
    return undefined
  }
}
