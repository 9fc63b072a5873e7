import { BerthError } from '@berth/kernel'
import { z } from 'zod'
import type { GetAnswer } from '../egress/http-get.ts'
import { readJson } from './read-json.ts'
import { isSafePath } from './repository-path.ts'
import type { SourceDeps } from './source.ts'

const MAX_FILES = 20_000
const MAX_PAGES = 100

const CommitSchema = z.object({ sha: z.string().regex(/^[0-9a-f]{40}$/) })
const hex40 = z.string().regex(/^[0-9a-f]{40}$/)
const hex64 = z.string().regex(/^[0-9a-f]{64}$/)
const TreeSchema = z.array(
  z.object({
    type: z.string(),
    path: z.string(),
    oid: hex40.nullish(),
    size: z.number().int().nonnegative().default(0),
    lfs: z.object({ oid: hex64, size: z.number().int().nonnegative() }).nullish(),
  }),
)

/** A file of a repository of the Hub, with what its content is known by. */
export interface HubFile {
  readonly path: string
  readonly sizeBytes: number
  /** sha256 of a large file, else the id git gives it: the name of its blob in the cache too. */
  readonly contentId: string
}

/**
 * The two questions a download asks the Hub. Not `@huggingface/hub`: its `downloadFileToCacheDir`
 * (2.17.5) neither resumes nor verifies and logs by itself, its lists are read without a bound,
 * and it brings a megabyte of upload code into the agent for these two requests.
 */
export const createHubApi = (deps: SourceDeps) => {
  const ask = async (url: URL, signal: AbortSignal): Promise<GetAnswer> => {
    const token = await deps.hubToken()
    const authorization = token === undefined ? {} : { authorization: `Bearer ${token}` }
    return deps.get({ url, signal, headers: { accept: 'application/json' }, ...authorization })
  }
  return {
    /** The commit that a branch or tag means now. */
    commitOf: async (repository: string, revision: string, signal: AbortSignal) => {
      if (/^[0-9a-f]{40}$/.test(revision)) return revision
      const path = `api/models/${repository}/revision/${encodeURIComponent(revision)}`
      const answer = await ask(new URL(`${deps.hubEndpoint}/${path}`), signal)
      const schema = CommitSchema
      const refuse = (refused: GetAnswer) => refuseHub(refused, { repository, revision })
      return (await readJson(deps, answer, { schema, refuse })).value.sha
    },

    /** Every file of a commit. */
    filesOf: async (repository: string, commit: string, signal: AbortSignal) => {
      const files: HubFile[] = []
      const path = `api/models/${repository}/tree/${commit}?recursive=true&expand=false`
      let next: URL | undefined = new URL(`${deps.hubEndpoint}/${path}`)
      for (let page = 0; next; page++) {
        const answer: GetAnswer = await ask(next, signal)
        const refuse = (refused: GetAnswer) => refuseHub(refused, { repository, revision: commit })
        const { value } = await readJson(deps, answer, { schema: TreeSchema, refuse })
        for (const entry of value) if (entry.type === 'file') files.push(toHubFile(entry))
        if (files.length > MAX_FILES || page >= MAX_PAGES) throw tooMany(repository)
        next = nextPage(answer, deps.hubEndpoint)
      }
      return files
    },

    /** Asks for the content of a file. */
    open: async (
      file: { readonly repository: string; readonly commit: string; readonly path: string },
      headers: Readonly<Record<string, string>>,
      signal: AbortSignal,
    ): Promise<GetAnswer> => {
      const way = file.path.split('/').map(encodeURIComponent).join('/')
      const url = new URL(`${deps.hubEndpoint}/${file.repository}/resolve/${file.commit}/${way}`)
      const token = await deps.hubToken()
      const authorization = token === undefined ? {} : { authorization: `Bearer ${token}` }
      return deps.get({ url, signal, headers, ...authorization })
    },
  }
}

/** What a refusal of the Hub means, for people. */
export const refuseHub = (
  { status, headers, url }: GetAnswer,
  { repository, revision }: { readonly repository: string; readonly revision: string },
): BerthError => {
  const code = headers['x-error-code']
  const page = `${url.origin}/${repository}`
  if (status === 401)
    return new BerthError(
      'UNAUTHENTICATED',
      `The Hub answers 401 for ${repository}: it is private, gated, or not there, or the token is wrong. Set HF_TOKEN to a token that may read it (${url.origin}/settings/tokens), or check the name.`,
      { facts: { status } },
    )
  if (status === 403)
    return new BerthError(
      'FORBIDDEN',
      `The Hub answers 403 for ${repository}: the token may not read it${code === 'GatedRepo' ? ', for it is gated' : ''}. Accept its terms at ${page} with the account of the token, then try again.`,
      { facts: { status } },
    )
  if (status === 404)
    return new BerthError(
      'MODEL_NOT_FOUND',
      code === 'RevisionNotFound'
        ? `The Hub answers 404: ${repository} has no revision ${revision}. Its revisions are at ${page}/tree/main.`
        : `The Hub answers 404: there is no ${code === 'EntryNotFound' ? 'such file in ' : ''}${repository}. Check the name at ${page}.`,
      { facts: { status } },
    )
  return new BerthError(
    'MODEL_LOAD_FAILED',
    `The Hub answers ${status} for ${repository}. Look at ${page}.`,
    { facts: { status } },
  )
}

const toHubFile = ({ path, size, oid, lfs }: z.infer<typeof TreeSchema>[number]): HubFile => {
  const contentId = lfs?.oid ?? oid
  if (!isSafePath(path) || typeof contentId !== 'string')
    throw new BerthError(
      'UNTRUSTED_ARTIFACT',
      `The repository holds a file that cannot be stored safely: ${JSON.stringify(path.slice(0, 120))}. Use another repository.`,
    )
  return { path, sizeBytes: lfs?.size ?? size, contentId }
}

/** `Link: <...>; rel="next"`, of the Hub itself: a token goes along. */
const nextPage = ({ headers }: GetAnswer, endpoint: string): URL | undefined => {
  const link = headers.link
  const text = Array.isArray(link) ? link.join(',') : (link ?? '')
  const found = /<([^>]{1,4096})>\s*;\s*rel="next"/.exec(text)?.[1]
  if (found === undefined) return undefined
  const url = URL.parse(found, endpoint)
  if (url?.origin === new URL(endpoint).origin) return url
  throw new BerthError(
    'FORBIDDEN',
    'The Hub continues its list of files at another address. Check HF_ENDPOINT.',
  )
}

const tooMany = (repository: string) =>
  new BerthError(
    'INVALID_PARAMS',
    `${repository} holds more than ${MAX_FILES} files. Name the file that is wanted with :FILE, from a smaller repository.`,
  )
