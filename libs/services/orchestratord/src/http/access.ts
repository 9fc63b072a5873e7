import type { IncomingHttpHeaders } from 'node:http'
import type { AccessKey, KeySource, Scope } from '@berth/keys'
import { BerthError } from '@berth/kernel'

/** What a route asks of its caller: nothing, any key, or a key with this scope. */
export type Need = 'open' | 'any' | Scope

/** Who calls. `keyId` is empty where nobody is asked who they are. */
export interface Access {
  readonly keyId: string
  readonly tenant: string
  /** Absent: all. */
  readonly models?: ReadonlySet<string>
}

/** Why a caller was not let in; a label, so never an id. */
export type AuthFailure = 'missing' | 'unknown' | 'scope' | 'model'

export interface AccessDeps {
  /** Undefined: nobody is asked who they are. */
  readonly keys: KeySource | undefined
  onAuthFailure(reason: AuthFailure): void
}

/** Whoever calls a gateway without keys. */
export const ANYONE: Access = { keyId: '', tenant: 'default' }

/**
 * Lets a caller in, or throws `UNAUTHENTICATED` or `FORBIDDEN`. A failure costs one hash of at most
 * a few hundred bytes: guessing is slower for the guesser than for us.
 */
export const admit = (deps: AccessDeps, need: Need, headers: IncomingHttpHeaders): Access => {
  if (need === 'open' || deps.keys === undefined) return ANYONE
  const presented = readCredential(headers)
  if (presented === undefined) {
    deps.onAuthFailure('missing')
    throw new BerthError(
      'UNAUTHENTICATED',
      'The request has no key. Send it as Authorization: Bearer KEY, or as x-api-key.',
    )
  }
  const key = deps.keys.current.find(presented)
  if (key === undefined) {
    deps.onAuthFailure('unknown')
    throw new BerthError('UNAUTHENTICATED', 'The key is not known here. Check it, or ask for one.')
  }
  if (need !== 'any' && !key.scopes.has(need)) {
    deps.onAuthFailure('scope')
    throw new BerthError(
      'FORBIDDEN',
      `The key ${key.id} may not do this: its scopes lack ${need}.`,
      { facts: { required_scope: need } },
    )
  }
  return accessOf(key)
}

/** Throws `MODEL_NOT_ALLOWED` unless the caller may use the model. */
export const admitModel = (deps: AccessDeps, access: Access, modelId: string): void => {
  if (mayUse(access, modelId)) return
  deps.onAuthFailure('model')
  throw new BerthError(
    'MODEL_NOT_ALLOWED',
    `The key ${access.keyId} may not use the model ${modelId}. GET /v1/models lists what it may use.`,
    { facts: { param: 'model' } },
  )
}

/** Whether the caller may use, and so may know of, a model. */
export const mayUse = ({ models }: Access, modelId: string): boolean =>
  models === undefined || models.has(modelId)

const accessOf = ({ id, tenant, models }: AccessKey): Access => ({
  keyId: id,
  tenant,
  ...(models === undefined ? {} : { models }),
})

const BEARER = /^Bearer +(\S+) *$/i

/** The key of a request: a bearer token, else `x-api-key`, as the SDKs send it. */
const readCredential = (headers: IncomingHttpHeaders): string | undefined => {
  const bearer = BEARER.exec(headers.authorization ?? '')?.[1]
  const apiKey = headers['x-api-key']
  return bearer ?? (typeof apiKey === 'string' && apiKey !== '' ? apiKey : undefined)
}
