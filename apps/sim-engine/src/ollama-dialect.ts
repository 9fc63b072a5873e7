import { answerJson, answerText } from './answer-json.ts'
import type { Call, EngineDialect, Handler, Json } from './dialect.ts'
import { embed, embeddingsBody } from './embedding.ts'
import { loadOf, type Engine } from './engine.ts'
import { ollamaLines } from './ollama-lines.ts'
import { createOllamaModels, keepAliveMsOf, type OllamaModels } from './ollama-models.ts'
import { createOllamaLibrary, OLLAMA_VERSION } from './ollama-library.ts'
import type { OllamaStore } from './ollama-store.ts'
import { nativeFormat } from './ollama-wire.ts'
import { chatFormat, completionFormat, type OpenAiManners } from './openai-wire.ts'
import {
  askOf,
  chatPromptOf,
  completionPromptOf,
  embeddingInputsOf,
  limitOf,
  numberOf,
} from './read-ask.ts'
import type { Ask } from './job.ts'
import { serveGeneration, type WireFormat } from './serve-generation.ts'

const BUSY = 'server busy, please try again.  maximum pending requests exceeded'

/** Ollama: up at once, many models, a request loads its model and waits for it. */
export const ollamaDialect = (engine: Engine, store?: OllamaStore): EngineDialect => {
  const models = createOllamaModels(engine, store)
  const { knobs } = engine
  for (const name of knobs.models.length > 0 || store ? knobs.models : [knobs.model])
    models.add(name)
  const routes = new Map<string, Handler>(createOllamaLibrary(engine, models))
  const dialect: EngineDialect = {
    routes,
    whileLoading: 'serving',
    loadingBody: {},
    needsKey: () => false,
    unauthorized: {},
    notFound: ({ response }) => answerText(response, 404, '404 page not found'),
    malformedBody: ({ response }) => answerJson(response, 400, { error: 'invalid JSON' }),
    errorBody: (_status, message) => ({ error: message }),
    onClientGone: (job) => job.abort(),
    onResult: () => undefined,
    closesAfterStream: false,
    diesOutOfMemory: false,
    diesOfSigtermWhileLoading: false,
    lines: ollamaLines,
    onTerminate: (_count, server) => {
      server.close()
      server.closeAllConnections()
      engine.host.exit(0)
    },
  }
  routes.set('GET /', ({ response }) => answerText(response, 200, 'Ollama is running'))
  routes.set('HEAD /', ({ response }) => void response.writeHead(200).end())
  routes.set('GET /api/version', ({ response }) =>
    answerJson(response, 200, { version: OLLAMA_VERSION }),
  )
  const run = (kind: Kind) => (call: Call) => generateFor(engine, dialect, models, { call, kind })
  routes.set('POST /api/generate', run(NATIVE_GENERATE))
  routes.set('POST /api/chat', run(NATIVE_CHAT))
  routes.set('POST /v1/chat/completions', run(OPENAI_CHAT))
  routes.set('POST /v1/completions', run(OPENAI_COMPLETION))
  routes.set('POST /api/embed', (call) => embeddings(engine, models, call, false))
  routes.set('POST /v1/embeddings', (call) => embeddings(engine, models, call, true))
  return dialect
}

/** One generation route: how it reads, writes and refuses. */
interface Kind {
  readonly promptOf: (body: Json) => string | undefined
  readonly askOf: (body: Json, model: string, prompt: string) => Ask
  readonly format: WireFormat
  readonly errorOf: (status: number, message: string) => Json
  /** A request without a prompt loads or unloads, on the native routes. */
  readonly loads: boolean
}

const nativeAsk = (body: Json, model: string, prompt: string): Ask => {
  const options = (body.options ?? {}) as Json
  return {
    model,
    prompt,
    seed: numberOf(options.seed) ?? 0,
    maxTokens: limitOf(options.num_predict),
    ignoresEos: false,
    isStream: body.stream !== false,
    includesUsage: false,
  }
}

const MANNERS: OpenAiManners = {
  contentType: 'text/event-stream',
  hasEarlyHeaders: false,
  idOf: (job, kind) => `${kind === 'chat' ? 'chatcmpl' : 'cmpl'}-${job.record.seq}`,
  envelope: { system_fingerprint: 'fp_ollama' },
  firstContent: '',
  choice: {},
  ending: () => ({}),
  usage: {},
  message: {},
}

const OPENAI_TYPES: Record<number, string> = {
  400: 'invalid_request_error',
  404: 'not_found_error',
}
const openAiError = (status: number, message: string): Json => ({
  error: { message, type: OPENAI_TYPES[status] ?? 'api_error', param: null, code: null },
})
const nativeError = (_status: number, message: string): Json => ({ error: message })

const native = { askOf: nativeAsk, errorOf: nativeError, loads: true }
const openAi = { askOf, errorOf: openAiError, loads: false }
const promptText = (body: Json) => (typeof body.prompt === 'string' ? body.prompt : undefined)
const NATIVE_GENERATE: Kind = { ...native, promptOf: promptText, format: nativeFormat('response') }
const NATIVE_CHAT: Kind = { ...native, promptOf: chatPromptOf, format: nativeFormat('message') }
const OPENAI_CHAT: Kind = { ...openAi, promptOf: chatPromptOf, format: chatFormat(MANNERS) }
const OPENAI_COMPLETION: Kind = {
  ...openAi,
  promptOf: completionPromptOf,
  format: completionFormat(MANNERS),
}

const generateFor = async (
  engine: Engine,
  dialect: EngineDialect,
  models: OllamaModels,
  { call, kind }: { call: Call; kind: Kind },
): Promise<void> => {
  const { body, response } = call
  const refuse = (status: number, message: string) => {
    engine.counters.rejected += 1
    answerJson(response, status, kind.errorOf(status, message))
  }
  if (typeof body.model !== 'string') return refuse(400, 'model is required')
  const model = models.find(body.model)
  if (model === undefined) return refuse(404, `model '${body.model}' not found`)
  if (loadOf(engine).waiting >= engine.knobs.maxQueue) return refuse(503, BUSY)
  const keepAliveMs = kind.loads ? keepAliveMsOf(body.keep_alive) : undefined
  const prompt = kind.promptOf(body)
  const isEmpty =
    prompt === undefined || prompt === '' || (body.messages as unknown[] | undefined)?.length === 0
  if (isEmpty && !kind.loads) return refuse(400, '[] is too short - messages')
  if (isEmpty && keepAliveMs === 0) {
    models.unload(model)
    return answerJson(response, 200, loadBody(body.model, 'unload', body))
  }
  const used = await models.use(model, { keepAliveMs, left: leftOf(response) }, async () => {
    if (isEmpty) return answerJson(response, 200, loadBody(String(body.model), 'load', body))
    const ask = kind.askOf(body, String(body.model), prompt)
    await serveGeneration(engine, dialect, call, { ask, format: kind.format })
  })
  if (!used.ok) refuse(500, used.message)
}

/** Aborted when the client is gone before its answer. */
const leftOf = (response: Call['response']): AbortSignal => {
  const left = new AbortController()
  response.once('close', () => {
    if (!response.writableFinished) left.abort()
  })
  return left.signal
}

const loadBody = (model: string, reason: 'load' | 'unload', body: Json): Json => ({
  model,
  created_at: new Date().toISOString(),
  ...(body.messages === undefined
    ? { response: '' }
    : { message: { role: 'assistant', content: '' } }),
  done: true,
  done_reason: reason,
})

const embeddings = async (
  engine: Engine,
  models: OllamaModels,
  { body, response }: Call,
  isOpenAi: boolean,
): Promise<void> => {
  const errorOf = isOpenAi ? openAiError : nativeError
  const name = String(body.model)
  const model = models.find(name)
  const inputs = embeddingInputsOf(body)
  if (model === undefined) {
    return answerJson(response, 404, errorOf(404, `model '${name}' not found`))
  }
  if (inputs === undefined) return answerJson(response, 400, errorOf(400, 'invalid input type'))
  const { seed } = engine.knobs
  const how = { keepAliveMs: keepAliveMsOf(body.keep_alive), left: leftOf(response) }
  const used = await models.use(model, how, async () =>
    answerJson(
      response,
      200,
      isOpenAi
        ? embeddingsBody(seed, name, inputs)
        : { model: name, embeddings: inputs.map((input) => embed(seed, input)) },
    ),
  )
  if (!used.ok) answerJson(response, 500, errorOf(500, used.message))
}
