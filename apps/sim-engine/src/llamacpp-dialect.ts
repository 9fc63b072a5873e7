import { countTokens } from '@berth/sim-text'
import { answerJson } from './answer-json.ts'
import type { Call, EngineDialect, Handler, Json } from './dialect.ts'
import { embeddingsBody } from './embedding.ts'
import type { Engine } from './engine.ts'
import type { Job } from './job.ts'
import { llamacppLines } from './llamacpp-lines.ts'
import { llamacppMetrics, propsBody, slotsBody } from './llamacpp-state.ts'
import { chatFormat, completionFormat, type OpenAiManners } from './openai-wire.ts'
import { askOf, chatPromptOf, completionPromptOf, embeddingInputsOf } from './read-ask.ts'
import { serveGeneration, type WireFormat } from './serve-generation.ts'
import { createSilence } from './silence.ts'

/** llama-server: 503 while loading, closes a socket after a stream, finds gone clients late. */
export const llamacppDialect = (engine: Engine): EngineDialect => {
  const silence = createSilence(() => engine.knobs.cancelPollMs)
  const routes = new Map<string, Handler>()
  const dialect: EngineDialect = {
    routes,
    whileLoading: 'answered',
    loadingBody: errorBody(503, 'Loading model'),
    needsKey: (path) => path !== '/health' && path !== '/v1/health',
    unauthorized: errorBody(401, 'Invalid API Key'),
    notFound: ({ response }) => answerJson(response, 404, errorBody(404, 'File Not Found')),
    malformedBody: ({ response }) =>
      answerJson(response, 500, errorBody(500, 'parse error: the body is not valid JSON')),
    errorBody,
    onClientGone: (job) => {
      const isSeenAtOnce = job.ask.isStream && job.slot !== undefined
      if (isSeenAtOnce) job.abort()
      else silence.watch(job)
    },
    onResult: () => silence.broken(),
    closesAfterStream: true,
    diesOutOfMemory: true,
    diesOfSigtermWhileLoading: true,
    lines: llamacppLines,
    onTerminate: (count, server) => {
      if (count > 1) {
        engine.host.err('Received second interrupt, terminating immediately.')
        return engine.host.exit(1)
      }
      engine.phase = 'stopping'
      // Streams are neither finished nor closed: it waits for their clients to leave.
      engine.isFrozen = true
      engine.host.err('0.00.006.000 I srv    operator(): operator(): cleaning up before exit...')
      server.close(() => engine.host.exit(0))
      server.closeIdleConnections()
    },
  }
  const health: Handler = ({ response }) => answerJson(response, 200, { status: 'ok' })
  routes.set('GET /health', health).set('GET /v1/health', health)
  const models: Handler = ({ response }) => answerJson(response, 200, modelsBody(engine))
  routes.set('GET /v1/models', models).set('GET /models', models)
  routes.set('GET /props', ({ response }) => answerJson(response, 200, propsBody(engine)))
  routes.set('GET /slots', (call) => showSlots(engine, call))
  routes.set('GET /metrics', (call) => showMetrics(engine, call))
  const generation = (promptOf: PromptOf, format: WireFormat, field: string) => (call: Call) =>
    generateFor(engine, dialect, call, { promptOf, format, field })
  const chat = generation(chatPromptOf, chatFormat(MANNERS), 'messages')
  const completion = generation(completionPromptOf, completionFormat(MANNERS), 'prompt')
  routes.set('POST /v1/chat/completions', chat).set('POST /chat/completions', chat)
  routes.set('POST /v1/completions', completion)
  routes.set('POST /v1/embeddings', (call) => embeddings(engine, call))
  return dialect
}

type PromptOf = (body: Json) => string | undefined

const MANNERS: OpenAiManners = {
  contentType: 'text/event-stream',
  hasEarlyHeaders: false,
  idOf: (job) => `chatcmpl-${job.id}`,
  envelope: { system_fingerprint: 'b10488-de3ff81' },
  firstContent: null,
  choice: {},
  ending: (job) => ({ timings: timingsOf(job) }),
  usage: { prompt_tokens_details: { cached_tokens: 0 } },
  message: {},
}

const timingsOf = (job: Job): Json => {
  const firstAt = job.firstTokenAtMs ?? job.arrivedAtMs
  const promptMs = Math.max(0.001, firstAt - job.arrivedAtMs)
  const predictedMs = Math.max(0.001, performance.now() - firstAt)
  const predicted = job.record.tokens_sent
  return {
    cache_n: 0,
    prompt_n: job.promptTokens,
    prompt_ms: promptMs,
    prompt_per_second: (job.promptTokens * 1000) / promptMs,
    predicted_n: predicted,
    predicted_ms: predictedMs,
    predicted_per_second: (predicted * 1000) / predictedMs,
  }
}

const generateFor = async (
  engine: Engine,
  dialect: EngineDialect,
  call: Call,
  { promptOf, format, field }: { promptOf: PromptOf; format: WireFormat; field: string },
): Promise<void> => {
  const refuse = (body: Json) => {
    engine.counters.rejected += 1
    answerJson(call.response, 400, body)
  }
  const prompt = promptOf(call.body)
  if (prompt === undefined) return refuse(errorBody(400, `"${field}" is required`))
  // The `model` of the body is ignored; answers echo the alias.
  const ask = askOf(call.body, engine.knobs.model, prompt)
  const promptTokens = countTokens(prompt)
  if (promptTokens >= engine.knobs.ctx) return refuse(tooLong(promptTokens, engine.knobs.ctx))
  await serveGeneration(engine, dialect, call, { ask, format })
}

const showSlots = (engine: Engine, { url, response }: Call): void => {
  const slots = slotsBody(engine)
  const isFull = slots.every((slot) => slot.is_processing === true)
  if (isFull && url.searchParams.has('fail_on_no_slot')) {
    return answerJson(response, 503, errorBody(503, 'no slot available'))
  }
  answerJson(response, 200, slots)
}

const showMetrics = (engine: Engine, { response }: Call): void => {
  if (!engine.knobs.hasMetrics) {
    const message = 'This server does not support metrics endpoint. Start it with `--metrics`'
    return answerJson(response, 501, errorBody(501, message))
  }
  response.writeHead(200, { 'content-type': 'text/plain; version=0.0.4' })
  response.end(llamacppMetrics(engine))
}

const embeddings = (engine: Engine, { body, response }: Call): void => {
  if (!engine.knobs.hasEmbeddings) {
    const message = 'This server does not support embeddings. Start it with `--embeddings`'
    return answerJson(response, 501, errorBody(501, message))
  }
  const inputs = embeddingInputsOf(body)
  if (inputs === undefined) {
    return answerJson(response, 400, errorBody(400, '"input" or "content" must be provided'))
  }
  answerJson(response, 200, embeddingsBody(engine.knobs.seed, engine.knobs.model, inputs))
}

const TYPES: Record<number, string> = {
  400: 'invalid_request_error',
  401: 'authentication_error',
  404: 'not_found_error',
  501: 'not_supported_error',
  503: 'unavailable_error',
}

const errorBody = (code: number, message: string): Json => ({
  error: { code, message, type: TYPES[code] ?? 'server_error' },
})

const tooLong = (promptTokens: number, ctx: number): Json => ({
  error: {
    code: 400,
    message:
      `request (${promptTokens} tokens) exceeds the available context size (${ctx} tokens), ` +
      'try increasing it',
    type: 'exceed_context_size_error',
    n_prompt_tokens: promptTokens,
    n_ctx: ctx,
  },
})

const modelsBody = (engine: Engine): Json => ({
  object: 'list',
  data: [
    {
      id: engine.knobs.model,
      aliases: [],
      tags: [],
      object: 'model',
      created: Math.floor(engine.startedAtMs / 1000),
      owned_by: 'llamacpp',
      meta: {
        n_ctx: engine.knobs.ctx,
        n_ctx_train: engine.knobs.ctx,
        size: engine.knobs.vramBytes,
      },
    },
  ],
})
