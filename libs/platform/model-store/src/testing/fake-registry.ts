import { createHash } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { serveBytes, type Served } from './serve-bytes.ts'
import { startServer, type TestServer } from './start-server.ts'

/** A layer of an artifact of the fake registry. */
export interface LayerFixture extends Served {
  readonly mediaType: string
  readonly title?: string
  /** What the manifest says instead of the truth. */
  readonly claimedDigest?: string
}

/** A registry on this machine, for tests: OCI distribution, tokens, blobs in storage elsewhere. */
export interface FakeRegistry extends TestServer {
  /** Layers by `REPOSITORY:TAG`. */
  readonly artifacts: Record<string, LayerFixture[]>
  readonly storage: TestServer
  /** `user:password` that the token service wants; none: anyone gets a token. */
  password: string | undefined
  /** `bearer`: a token of the token service is wanted. */
  auth: 'none' | 'bearer' | 'basic'
  /** Digest of the manifest of an artifact, `sha256:...`. */
  digestOf(name: string): string
}

const MANIFEST_TYPE = 'application/vnd.oci.image.manifest.v1+json'

/** Starts it with its storage on a second port. */
export const startFakeRegistry = async (
  artifacts: Record<string, LayerFixture[]> = {},
): Promise<FakeRegistry> => {
  const storage = await startServer((request, response) => {
    const layer = findLayer(artifacts, (request.url ?? '').slice(1))
    return layer ? serveBytes(request, response, layer) : response.writeHead(404).end()
  })
  const server = await startServer((request, response) => answer(registry, request, response))
  const registry: FakeRegistry = {
    ...server,
    ...{ artifacts, storage, password: undefined, auth: 'none' },
    digestOf: (name) => digestOf(Buffer.from(manifestOf(artifacts[name] ?? []))),
    close: async () => {
      await server.close()
      await storage.close()
    },
  }
  return registry
}

const answer = (registry: FakeRegistry, request: IncomingMessage, response: ServerResponse) => {
  const url = new URL(request.url ?? '', registry.origin)
  const { authorization } = request.headers
  const basic = `Basic ${Buffer.from(registry.password ?? '').toString('base64')}`
  if (url.pathname === '/token') {
    if (registry.password !== undefined && authorization !== basic)
      return response.writeHead(401).end()
    return response.end(JSON.stringify({ token: `t.${url.searchParams.get('scope') ?? ''}` }))
  }
  const [, repository = '', kind = '', reference = ''] =
    /^\/v2\/(.+)\/(manifests|blobs)\/([^/]+)$/.exec(url.pathname) ?? []
  const wanted = { none: undefined, basic, bearer: `Bearer t.repository:${repository}:pull` }
  if (registry.auth !== 'none' && authorization !== wanted[registry.auth]) {
    const realm = `realm="${registry.origin}/token",service="fake"`
    const challenge = registry.auth === 'basic' ? 'Basic realm="fake"' : `Bearer ${realm}`
    return response.writeHead(401, { 'www-authenticate': challenge }).end()
  }
  if (kind === 'blobs')
    return response.writeHead(307, { location: `${registry.storage.origin}/${reference}` }).end()
  const name = Object.keys(registry.artifacts).find(
    (each) =>
      each === `${repository}:${reference}` ||
      (each.startsWith(`${repository}:`) && registry.digestOf(each) === reference),
  )
  if (name === undefined) return response.writeHead(404).end()
  return response
    .writeHead(200, { 'content-type': MANIFEST_TYPE })
    .end(manifestOf(registry.artifacts[name]!))
}

const manifestOf = (layers: readonly LayerFixture[]): string =>
  JSON.stringify({
    ...{ schemaVersion: 2, mediaType: MANIFEST_TYPE },
    config: { mediaType: 'application/vnd.oci.empty.v1+json', digest: 'sha256:0', size: 2 },
    layers: layers.map(({ mediaType, body, title, claimedDigest }) => ({
      ...{ mediaType, size: body.length, digest: claimedDigest ?? digestOf(body) },
      ...(title === undefined ? {} : { annotations: { 'org.opencontainers.image.title': title } }),
    })),
  })

const findLayer = (artifacts: Record<string, LayerFixture[]>, digest: string) =>
  Object.values(artifacts)
    .flat()
    .find(({ body, claimedDigest }) => (claimedDigest ?? digestOf(body)) === digest)

const digestOf = (bytes: Buffer): string =>
  `sha256:${createHash('sha256').update(bytes).digest('hex')}`
