import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { isKeyAccepted } from './api-key.ts'
import { chatBody, textBody } from './completion-body.ts'
import type { EngineOptions } from './flags.ts'
import { LOADING, readJson, sendJson, sendProblem, STOPPING, type Problem } from './http-answer.ts'
import { readChatRequest, readTextRequest } from './read-completion.ts'
import type { ReadyEngine } from './ready-engine.ts'
import { serveCompletion, type Exchange } from './serve-completion.ts'
import { serveEmbeddings } from './serve-embeddings.ts'
import { modelsBody, propsBody, slotsBody } from './status-bodies.ts'

/** The HTTP side of the engine: the part of llama-server's that Berth and OpenAI clients use. */
export interface EngineServer {
  readonly port: number
  /** From here on requests are served; before, all are told that the model loads. */
  setReady(ready: ReadyEngine): void
  /**
   * Accepts nothing more, sends away who waits, lets who runs finish for `graceMs`, and then ends
   * those too: a stream breaks, without an end that looks like a good one.
   */
  stop(graceMs: number): Promise<void>
}

type State =
  | { readonly kind: 'loading' }
  | { readonly kind: 'ready'; readonly ready: ReadyEngine }
  | { readonly kind: 'stopping' }

/** Listens at once, so that probes see a model that loads. Rejects when the port is taken. */
export const startEngineServer = async (
  options: EngineOptions,
  log: (line: string) => void,
): Promise<EngineServer> => {
  let state: State = { kind: 'loading' }
  const stopping = new AbortController()
  const running = new Set<Promise<void>>()

  const serve = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    if (state.kind === 'loading') return sendProblem(response, LOADING)
    if (state.kind === 'stopping') return sendProblem(response, STOPPING)
    const path = new URL(request.url ?? '/', 'http://engine').pathname
    const isOpen = path === '/health' || path === '/v1/health'
    if (!isOpen && !isKeyAccepted(request.headers, options.apiKeys))
      return sendProblem(response, BAD_KEY)
    const { ready } = state
    const get = request.method === 'GET' ? GET_ROUTES[path] : undefined
    if (get) return get(ready, response, options)
    const post = request.method === 'POST' ? POST_ROUTES[path] : undefined
    if (!post) return sendProblem(response, NOT_FOUND)
    const gone = new AbortController()
    response.once('close', () => gone.abort())
    const read = await readJson(request)
    if (!read.ok) return sendProblem(response, read.problem)
    const signal = AbortSignal.any([gone.signal, stopping.signal])
    await post(ready, { response, body: read.body, signal })
    if (stopping.signal.aborted && !response.writableEnded) endEarly(response)
  }

  const server = createServer((request, response) => {
    const work = serve(request, response).catch((error: unknown) => {
      if (response.destroyed) return
      log(`request failed: ${String(error)}`)
      if (response.writableEnded) return
      if (response.headersSent) response.destroy()
      else sendProblem(response, FAILED)
    })
    running.add(work)
    void work.finally(() => running.delete(work))
  })
  server.keepAliveTimeout = KEEP_ALIVE_MS
  const port = await listen(server, options)

  return {
    port,
    setReady: (ready) => {
      state = { kind: 'ready', ready }
    },
    stop: async (graceMs) => {
      if (state.kind === 'ready') state.ready.slots.close()
      state = { kind: 'stopping' }
      const closed = new Promise((resolve) => server.close(resolve))
      server.closeIdleConnections()
      await within(Promise.allSettled(running), graceMs)
      stopping.abort()
      await within(Promise.allSettled(running), LAST_WORDS_MS)
      await within(closed, LAST_WORDS_MS)
      server.closeAllConnections()
    },
  }
}

const KEEP_ALIVE_MS = 65_000
/** For an evaluation in progress to end, and for last answers to leave. */
const LAST_WORDS_MS = 250

const BAD_KEY: Problem = { status: 401, type: 'authentication_error', message: 'Invalid API Key' }
const NOT_FOUND: Problem = { status: 404, type: 'not_found_error', message: 'File Not Found' }
const FAILED: Problem = { status: 500, type: 'server_error', message: 'The request failed' }

type Get = (ready: ReadyEngine, response: ServerResponse, options: EngineOptions) => void
type Post = (ready: ReadyEngine, exchange: Exchange) => Promise<void>

const health: Get = (_, response) => sendJson(response, 200, { status: 'ok' })
const models: Get = (ready, response) => sendJson(response, 200, modelsBody(ready))

const GET_ROUTES: Readonly<Record<string, Get>> = {
  '/health': health,
  '/v1/health': health,
  '/models': models,
  '/v1/models': models,
  '/props': (ready, response, { modelPath }) =>
    sendJson(response, 200, propsBody(ready, modelPath)),
  '/slots': (ready, response) => sendJson(response, 200, slotsBody(ready)),
  '/metrics': ({ counters, slots }, response) => {
    response.setHeader('content-type', 'text/plain; version=0.0.4')
    response.end(counters.text(slots))
  },
}

const chat: Post = (ready, exchange) =>
  serveCompletion(ready, { readRequest: readChatRequest, createBody: chatBody }, exchange)
const text: Post = (ready, exchange) =>
  serveCompletion(ready, { readRequest: readTextRequest, createBody: textBody }, exchange)

const POST_ROUTES: Readonly<Record<string, Post>> = {
  '/v1/chat/completions': chat,
  '/chat/completions': chat,
  '/v1/completions': text,
  '/completions': text,
  '/v1/embeddings': serveEmbeddings,
  '/embeddings': serveEmbeddings,
}

const endEarly = (response: ServerResponse): void => {
  if (response.headersSent) response.destroy()
  else sendProblem(response, STOPPING)
}

const listen = (
  server: ReturnType<typeof createServer>,
  { host, port }: EngineOptions,
): Promise<number> =>
  new Promise((resolve, reject) => {
    const what = `hostname: ${host}, port: ${port}`
    server.once('error', (cause) =>
      reject(new Error(`couldn't bind HTTP server socket, ${what} (${cause.message})`, { cause })),
    )
    server.listen(port, host, () => resolve((server.address() as AddressInfo).port))
  })

const within = async (work: Promise<unknown>, ms: number): Promise<void> => {
  const { promise, resolve } = Promise.withResolvers<undefined>()
  const timer = setTimeout(() => resolve(undefined), ms)
  await Promise.race([work, promise])
  clearTimeout(timer)
}
