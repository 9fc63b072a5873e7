import { BerthError } from '@berth/kernel'
import { z } from 'zod'
import type { GetAnswer } from '../egress/http-get.ts'
import { schemeFor } from '../egress/host-rules.ts'
import { readJson, type JsonAnswer } from './read-json.ts'
import type { SourceDeps } from './source.ts'

const digest = z.string().regex(/^sha256:[0-9a-f]{64}$/)
const DescriptorSchema = z.object({
  mediaType: z.string(),
  digest,
  size: z.number().int().nonnegative(),
  annotations: z.record(z.string(), z.string()).optional(),
})
const ManifestSchema = z.object({
  mediaType: z.string().optional(),
  layers: z.array(DescriptorSchema).max(2_000).optional(),
  manifests: z.array(DescriptorSchema).max(200).optional(),
})
const TokenSchema = z.object({ token: z.string().optional(), access_token: z.string().optional() })

/** A layer of an artifact. */
export type Layer = z.infer<typeof DescriptorSchema>
/** A manifest, or an index of manifests. */
export type RegistryManifest = z.infer<typeof ManifestSchema>

const MANIFEST_TYPES = [
  'application/vnd.oci.image.manifest.v1+json',
  'application/vnd.docker.distribution.manifest.v2+json',
  'application/vnd.oci.image.index.v1+json',
].join(', ')

/** One repository of a registry (OCI distribution specification 1.1; Ollama's speaks it too). */
export const createRegistry = (
  deps: SourceDeps,
  at: { readonly host: string; readonly repository: string },
) => {
  const origin = `${schemeFor(deps.rules, at.host)}://${at.host}`
  let authorization: string | undefined
  const refuse = (answer: GetAnswer) => refuseRegistry(answer, at)

  const ask = async (
    path: string,
    headers: Readonly<Record<string, string>>,
    signal: AbortSignal,
  ): Promise<GetAnswer> => {
    const url = new URL(`${origin}/v2/${at.repository}/${path}`)
    const send = () =>
      deps.get({ url, headers, signal, ...(authorization === undefined ? {} : { authorization }) })
    const answer = await send()
    const challenge = answer.headers['www-authenticate']
    if (answer.status !== 401 || answer.isElsewhere || challenge === undefined) return answer
    const next = await answerChallenge(deps, { ...at, challenge, signal })
    if (next === undefined) return answer
    answer.body.destroy()
    authorization = next
    return send()
  }

  return {
    refuse,
    manifest: async (
      reference: string,
      signal: AbortSignal,
    ): Promise<JsonAnswer<RegistryManifest>> => {
      const answer = await ask(`manifests/${reference}`, { accept: MANIFEST_TYPES }, signal)
      return readJson(deps, answer, { schema: ManifestSchema, refuse })
    },
    openBlob: (
      digestOfBlob: string,
      headers: Readonly<Record<string, string>>,
      signal: AbortSignal,
    ) => ask(`blobs/${digestOfBlob}`, headers, signal),
  }
}

interface Challenge {
  readonly host: string
  readonly repository: string
  readonly challenge: string
  readonly signal: AbortSignal
}

/** `Authorization` for the registry, after what it demands in a 401; `undefined`: there is none. */
const answerChallenge = async (
  deps: SourceDeps,
  { host, repository, challenge, signal }: Challenge,
): Promise<string | undefined> => {
  const credentials = deps.credentialsOf(host)
  const basic =
    credentials &&
    `Basic ${Buffer.from(`${credentials.username}:${credentials.password}`).toString('base64')}`
  if (/^basic\b/i.test(challenge)) return basic
  if (!/^bearer\b/i.test(challenge)) return undefined
  const realm = URL.parse(parameter(challenge, 'realm') ?? '')
  if (!realm) return undefined
  const service = parameter(challenge, 'service')
  if (service !== undefined) realm.searchParams.set('service', service)
  realm.searchParams.set('scope', `repository:${repository}:pull`)
  const answer = await deps.get({
    ...{ url: realm, signal, headers: { accept: 'application/json' } },
    // A password leaves for another host over TLS only; which hosts there are, the rules say.
    ...(basic !== undefined && (realm.protocol === 'https:' || realm.host === host)
      ? { authorization: basic }
      : {}),
  })
  const refuse = (refused: GetAnswer) => refuseRegistry(refused, { host, repository })
  const { value } = await readJson(deps, answer, { schema: TokenSchema, refuse })
  const token = value.token ?? value.access_token
  return token !== undefined && /^[\x21-\x7e]{1,16384}$/.test(token) ? `Bearer ${token}` : undefined
}

const parameter = (challenge: string, name: string): string | undefined =>
  new RegExp(`[\\s,]${name}="([^"]{0,2048})"`, 'i').exec(challenge)?.[1]

const refuseRegistry = (
  { status }: GetAnswer,
  { host, repository }: { readonly host: string; readonly repository: string },
): BerthError => {
  const facts = { status }
  if (status === 401)
    return new BerthError(
      'UNAUTHENTICATED',
      `${host} answers 401 for ${repository}: it is private, or not there. Set the credentials of this registry, or check the name.`,
      { facts },
    )
  if (status === 403)
    return new BerthError(
      'FORBIDDEN',
      `${host} answers 403 for ${repository}: the credentials may not pull it. Ask its owner for the right to pull.`,
      { facts },
    )
  if (status === 404)
    return new BerthError(
      'MODEL_NOT_FOUND',
      `${host} answers 404: there is no such model or tag as ${repository}. Check name and tag.`,
      { facts },
    )
  return new BerthError(
    'MODEL_LOAD_FAILED',
    `${host} answers ${status} for ${repository}. Check that it is a registry.`,
    { facts },
  )
}
