import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { adminRoute } from './admin.ts'
import { answerJson } from './answer-json.ts'
import type { Call, EngineDialect, Json } from './dialect.ts'
import type { Engine } from './engine.ts'
import { pause } from './pause.ts'

const MAX_BODY_BYTES = 64 * 1024 * 1024
const MAX_CONNECTIONS = 8192
const NEVER = new AbortController().signal

/** The HTTP side of the engine; it listens when the dialect says so. */
export const createHttp = (engine: Engine, dialect: EngineDialect): Server => {
  const server = createServer({ keepAliveTimeout: 5000 }, (request, response) => {
    serve(engine, dialect, request, response).catch((thrown: unknown) => {
      engine.host.err(`sim-engine: ${String((thrown as Error).stack ?? thrown)}`)
      response.destroy()
    })
  })
  server.maxConnections = MAX_CONNECTIONS
  return server
}

const serve = async (
  engine: Engine,
  dialect: EngineDialect,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> => {
  const url = new URL(request.url ?? '/', 'http://engine')
  const admin = adminRoute(engine, dialect, `${request.method} ${url.pathname}`)
  const isLoading = engine.phase === 'loading' && admin === undefined
  if (isLoading && dialect.whileLoading === 'answered') {
    return answerJson(response, 503, dialect.loadingBody)
  }
  const call: Call = { request, response, url, body: {} }
  if (admin === undefined && !isAuthorized(engine, dialect, call)) {
    return answerJson(response, 401, dialect.unauthorized)
  }
  const handler = admin ?? dialect.routes.get(`${request.method} ${url.pathname}`)
  if (handler === undefined) return dialect.notFound(call)
  if (request.method === 'GET' || request.method === 'HEAD') {
    if (url.pathname.endsWith('/health')) await pause(engine.knobs.healthDelayMs, NEVER)
    return handler(call)
  }
  const text = await readBody(request)
  if (text === undefined) return void response.writeHead(413).end()
  const body = parseObject(text)
  if (body === undefined) return dialect.malformedBody(call)
  const { errorStatus } = engine.knobs
  if (errorStatus > 0 && isGeneration(url.pathname)) {
    engine.counters.rejected += 1
    const message = 'The simulated engine was told to fail.'
    return answerJson(response, errorStatus, dialect.errorBody(errorStatus, message))
  }
  await handler({ ...call, body })
}

const isGeneration = (path: string): boolean =>
  /^\/(v1\/(chat\/completions|completions|embeddings)|api\/(chat|generate|embed))$/.test(path)

const isAuthorized = (engine: Engine, dialect: EngineDialect, { request, url }: Call): boolean => {
  const { apiKey } = engine.knobs
  if (apiKey === '' || !dialect.needsKey(url.pathname)) return true
  return request.headers.authorization === `Bearer ${apiKey}`
}

const readBody = async (request: IncomingMessage): Promise<string | undefined> => {
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length
    if (bytes > MAX_BODY_BYTES) return undefined
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString('utf8')
}

const parseObject = (text: string): Json | undefined => {
  if (text.trim() === '') return {}
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as Json)
      : undefined
  } catch {
    // Malformed JSON is an answer of the dialect, not a fault.
    return undefined
  }
}
