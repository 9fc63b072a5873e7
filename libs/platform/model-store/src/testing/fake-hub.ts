import { createHash } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { serveBytes, type Served } from './serve-bytes.ts'
import { startServer, type TestServer } from './start-server.ts'

/** A file of a repository of the fake Hub. Large ones are kept in storage of their own. */
export interface HubFixtureFile extends Served {
  /** In LFS: known by its sha256 and served through a redirect. */
  readonly isLarge?: boolean
  /** What the list says instead of the truth. */
  readonly claimedSha256?: string
}

/** A repository of the fake Hub. */
export interface HubFixture {
  commit: string
  /** By path. */
  files: Record<string, HubFixtureFile>
  /** Needs this token. */
  token?: string
  /** Its files are refused: nobody accepted its terms. */
  isGated?: boolean
  /** Files in one list; the next one is linked. Absent: all in one. */
  pageSize?: number
  /** Where the next list is said to be, instead of here. */
  nextOrigin?: string
}

/** The Hub on this machine, for tests: `api/models/*` and `resolve`, as the real one answers. */
export interface FakeHub extends TestServer {
  /** By `ORG/NAME`; may be changed at any time. */
  readonly repositories: Record<string, HubFixture>
  /** Bytes asked of the storage behind redirects. */
  readonly storage: TestServer
}

/** Starts it with its storage on a second port, as the real one has another host for that. */
export const startFakeHub = async (
  repositories: Record<string, HubFixture> = {},
): Promise<FakeHub> => {
  const storage = await startServer((request, response) => {
    const [, repository = '', path = ''] = /^\/store\/([^/]+\/[^/]+)\/(.*)$/.exec(pathOf(request))!
    const file = repositories[repository]?.files[decodeURIComponent(path)]
    return file ? serveBytes(request, response, file) : response.writeHead(404).end()
  })
  const hub = await startServer((request, response) =>
    answer(repositories, storage.origin, request, response),
  )
  return {
    ...hub,
    ...{ repositories, storage },
    close: async () => {
      await hub.close()
      await storage.close()
    },
  }
}

const pathOf = (request: IncomingMessage): string => (request.url ?? '').split('?')[0] ?? ''

const answer = (
  repositories: Record<string, HubFixture>,
  storage: string,
  request: IncomingMessage,
  response: ServerResponse,
): unknown => {
  const path = pathOf(request)
  const [, name = '', kind = '', rest = ''] =
    /^\/(?:api\/models\/)?([^/]+\/[^/]+)\/(revision|tree|resolve)\/(.*)$/.exec(path) ?? []
  const repository = repositories[name]
  const refuse = (status: number, code: string) =>
    response.writeHead(status, { 'x-error-code': code }).end(JSON.stringify({ error: code }))
  const isKnown = request.headers.authorization === `Bearer ${repository?.token ?? ''}`
  // The real one does not tell strangers what there is.
  if (!repository) return refuse(request.headers.authorization ? 404 : 401, 'RepoNotFound')
  if (repository.token !== undefined && !isKnown) return refuse(401, 'GatedRepo')
  // What there is may be known; the content may not.
  if (repository.isGated && kind === 'resolve') return refuse(403, 'GatedRepo')
  if (kind === 'revision')
    return ['main', repository.commit].includes(rest)
      ? response.end(JSON.stringify({ id: name, sha: repository.commit }))
      : refuse(404, 'RevisionNotFound')
  if (kind === 'tree') return sendTree(repository, request, response)
  const [, ...parts] = rest.split('/')
  const file = repository.files[decodeURIComponent(parts.join('/'))]
  if (!file) return refuse(404, 'EntryNotFound')
  if (!file.isLarge) return serveBytes(request, response, file)
  const location = `${storage}/store/${name}/${parts.join('/')}`
  return response.writeHead(302, { location }).end()
}

const sendTree = (
  repository: HubFixture,
  request: IncomingMessage,
  response: ServerResponse,
): unknown => {
  const url = new URL(request.url ?? '', `http://${request.headers.host ?? ''}`)
  const from = Number(url.searchParams.get('cursor') ?? 0)
  const all = treeOf(repository)
  const to = from + (repository.pageSize ?? all.length)
  url.searchParams.set('cursor', String(to))
  const next = `<${repository.nextOrigin ?? url.origin}${url.pathname}${url.search}>; rel="next"`
  if (to < all.length) response.setHeader('link', next)
  return response.end(JSON.stringify(all.slice(from, to)))
}

const treeOf = ({ files }: HubFixture) => [
  { type: 'directory', path: 'folder', size: 0, oid: '0'.repeat(40) },
  ...Object.entries(files).map(([path, { body, isLarge, claimedSha256 }]) => ({
    ...{ type: 'file', path, size: body.length },
    oid: hash('sha1', Buffer.concat([Buffer.from(`blob ${body.length}\0`), body])),
    ...(isLarge
      ? { lfs: { oid: claimedSha256 ?? hash('sha256', body), size: body.length, pointerSize: 134 } }
      : {}),
  })),
]

const hash = (algorithm: string, bytes: Buffer) => createHash(algorithm).update(bytes).digest('hex')
