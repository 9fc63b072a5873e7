import { countTokens } from '@berth/sim-text'
import { answerJson } from './answer-json.ts'
import type { Call, EngineDialect, Handler, Json } from './dialect.ts'
import { embeddingsBody } from './embedding.ts'
import type { Engine } from './engine.ts'
import { chatFormat, completionFormat, type OpenAiManners } from './openai-wire.ts'
import { askOf, chatPromptOf, completionPromptOf, embeddingInputsOf } from './read-ask.ts'
import { serveGeneration, type WireFormat } from './serve-generation.ts'
import { adapterRoutes, type Adapters } from './vllm-adapters.ts'
import { vllmLines, vllmVersionOf } from './vllm-lines.ts'
import { vllmMetrics } from './vllm-metrics.ts'
import { sleepRoutes } from './vllm-sleep.ts'

const KEYED = ['/v1', '/v2', '/inference', '/cohere']

/** vLLM: not listening until ready, aborts a request when its client leaves. */
export const vllmDialect = (engine: Engine): EngineDialect => {
  const dialect: EngineDialect = {
    routes: new Map<string, Handler>(),
    whileLoading: 'refused',
    loadingBody: {},
    needsKey: (path) => KEYED.some((prefix) => path.startsWith(prefix)),
    unauthorized: { error: 'Unauthorized' },
    notFound: ({ response }) => answerJson(response, 404, { detail: 'Not Found' }),
    malformedBody: ({ response }) =>
      answerJson(response, 400, errorBody(400, 'JSON decode error', null)),
    errorBody: (status, message) => errorBody(status, message, null),
    onClientGone: (job) => job.abort(),
    onResult: () => undefined,
    closesAfterStream: false,
    diesOutOfMemory: true,
    diesOfSigtermWhileLoading: false,
    lines: vllmLines,
    onTerminate: (count, server) => {
      if (count > 1) return
      if (engine.phase === 'loading') {
        engine.host.err('KeyboardInterrupt: terminated')
        return engine.host.exit(1)
      }
      engine.phase = 'stopping'
      engine.host.err('INFO:     Shutting down')
      server.close()
      const graceMs = engine.knobs.shutdownTimeoutS * 1000
      void drain(engine, graceMs).then(() => {
        engine.host.err(`INFO:     Finished server process [${engine.host.pid}]`)
        engine.host.exit(0)
      })
    },
  }
  const routes = dialect.routes as Map<string, Handler>
  const adapters: Adapters = new Map()
  for (const [route, handler] of adapterRoutes(engine, adapters)) routes.set(route, handler)
  for (const [route, handler] of sleepRoutes(engine)) routes.set(route, handler)
  const health: Handler = ({ response }) => void response.writeHead(200).end()
  routes.set('GET /health', health).set('GET /ping', health).set('POST /ping', health)
  routes.set('GET /version', ({ response }) =>
    answerJson(response, 200, { version: vllmVersionOf(engine) }),
  )
  routes.set('GET /load', ({ response }) => answerJson(response, 200, { server_load: 0 }))
  routes.set('GET /v1/models', ({ response }) =>
    answerJson(response, 200, modelsBody(engine, adapters)),
  )
  routes.set('GET /metrics', ({ response }) => {
    if (!engine.knobs.hasMetrics) return answerJson(response, 404, { detail: 'Not Found' })
    response.writeHead(200, { 'content-type': 'text/plain; version=0.0.4; charset=utf-8' })
    response.end(vllmMetrics(engine))
  })
  const generation = (promptOf: PromptOf, format: WireFormat) => (call: Call) =>
    generateFor(engine, dialect, call, { promptOf, format, adapters })
  routes.set('POST /v1/chat/completions', generation(chatPromptOf, chatFormat(MANNERS)))
  routes.set('POST /v1/completions', generation(completionPromptOf, completionFormat(MANNERS)))
  routes.set('POST /v1/embeddings', (call) => embeddings(engine, call))
  return dialect
}

type PromptOf = (body: Json) => string | undefined

const MANNERS: OpenAiManners = {
  contentType: 'text/event-stream; charset=utf-8',
  hasEarlyHeaders: true,
  idOf: (job, kind) => `${kind === 'chat' ? 'chatcmpl' : 'cmpl'}-${job.id}`,
  envelope: {},
  firstContent: '',
  choice: { logprobs: null },
  ending: () => ({}),
  usage: { prompt_tokens_details: null },
  message: { refusal: null, tool_calls: [] },
}

const generateFor = async (
  engine: Engine,
  dialect: EngineDialect,
  call: Call,
  { promptOf, format, adapters }: { promptOf: PromptOf; format: WireFormat; adapters: Adapters },
): Promise<void> => {
  const { body, response } = call
  const refuse = (status: number, message: string, param: string | null) => {
    engine.counters.rejected += 1
    answerJson(response, status, errorBody(status, message, param))
  }
  if (!isServed(engine, body.model) && !adapters.has(String(body.model))) {
    return refuse(404, `The model \`${String(body.model)}\` does not exist.`, 'model')
  }
  const prompt = promptOf(body)
  if (prompt === undefined) return refuse(400, 'Field required: messages or prompt', null)
  const ask = askOf(body, engine.knobs.model, prompt)
  if (ask.maxTokens !== undefined && ask.maxTokens < 1) {
    return refuse(400, `max_tokens must be at least 1, got ${ask.maxTokens}.`, 'max_tokens')
  }
  const tooLong = contextProblem(engine, prompt, ask.maxTokens)
  if (tooLong !== undefined) return refuse(400, tooLong, null)
  await serveGeneration(engine, dialect, call, { ask, format })
}

const contextProblem = (engine: Engine, prompt: string, maxTokens = 0): string | undefined => {
  const { ctx } = engine.knobs
  const promptTokens = countTokens(prompt)
  if (promptTokens + Math.max(maxTokens, 1) <= ctx) return undefined
  return (
    `This model's maximum context length is ${ctx} tokens. However, you requested ` +
    `${promptTokens + maxTokens} tokens (${promptTokens} in the messages, ${maxTokens} in the ` +
    'completion). Please reduce the length of the messages or completion.'
  )
}

const isServed = (engine: Engine, model: unknown): boolean =>
  model === undefined || model === engine.knobs.model

const embeddings = (engine: Engine, { body, response }: Call): void => {
  const inputs = embeddingInputsOf(body)
  if (!isServed(engine, body.model)) {
    const message = `The model \`${String(body.model)}\` does not exist.`
    return answerJson(response, 404, errorBody(404, message, 'model'))
  }
  if (!engine.knobs.hasEmbeddings || inputs === undefined) {
    const message =
      inputs === undefined ? 'Field required: input' : 'The model does not support Embeddings API'
    return answerJson(response, 400, errorBody(400, message, null))
  }
  answerJson(response, 200, embeddingsBody(engine.knobs.seed, engine.knobs.model, inputs))
}

const TYPES: Record<number, string> = {
  400: 'BadRequestError',
  404: 'NotFoundError',
  500: 'InternalServerError',
}

const errorBody = (status: number, message: string, param: string | null): Json => ({
  error: { message, type: TYPES[status] ?? 'InternalServerError', param, code: status },
})

const modelsBody = (engine: Engine, adapters: Adapters): Json => {
  const { model, ctx } = engine.knobs
  const card = (id: string, root: string, parent: string | null) => ({
    ...{ id, object: 'model', created: Math.floor(engine.startedAtMs / 1000), owned_by: 'vllm' },
    ...{ root, parent, permission: [] },
  })
  return {
    object: 'list',
    data: [
      { ...card(model, model, null), max_model_len: ctx },
      ...[...adapters].map(([name, path]) => card(name, path, model)),
    ],
  }
}

/** Running requests get `graceMs`, then they are aborted. */
const drain = async (engine: Engine, graceMs: number): Promise<void> => {
  const deadline = AbortSignal.timeout(graceMs)
  while (engine.jobs.size > 0 && !deadline.aborted) await engine.untilChange(deadline)
  for (const job of engine.jobs) job.abort()
  const flush = AbortSignal.timeout(50)
  while (engine.jobs.size > 0 && !flush.aborted) await engine.untilChange(flush)
}
