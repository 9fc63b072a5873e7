import { answerJson } from './answer-json.ts'
import type { Call, Handler, Json } from './dialect.ts'
import type { Engine } from './engine.ts'
import { tagged, type OllamaModel, type OllamaModels } from './ollama-models.ts'
import { pause } from './pause.ts'

export const OLLAMA_VERSION = '0.13.5'

const FAR_FUTURE_MS = Date.UTC(2318, 0, 1)
const PULL_STEPS = 10
const NO_MANIFEST = 'pull model manifest: file does not exist'

/** The routes about what is on disk and what is in memory. */
export const createOllamaLibrary = (engine: Engine, models: OllamaModels): [string, Handler][] => [
  [
    'GET /api/tags',
    ({ response }) =>
      answerJson(response, 200, { models: models.all().map((model) => tagBody(engine, model)) }),
  ],
  [
    'GET /api/ps',
    ({ response }) => answerJson(response, 200, { models: resident(engine, models) }),
  ],
  ['POST /api/show', (call) => show(engine, models, call)],
  ['POST /api/pull', (call) => pull(engine, models, call)],
  [
    'DELETE /api/delete',
    ({ response, body }) => {
      const name = nameOf(body)
      if (models.remove(name)) response.writeHead(200).end()
      else answerJson(response, 404, { error: `model '${name}' not found` })
    },
  ],
  [
    'GET /v1/models',
    ({ response }) =>
      answerJson(response, 200, {
        object: 'list',
        data: models.all().map(({ name, modifiedAt }) => ({
          id: name,
          object: 'model',
          created: Math.floor(Date.parse(modifiedAt) / 1000),
          owned_by: 'library',
        })),
      }),
  ],
]

const nameOf = ({ model, name }: Json): string => {
  const asked = model ?? name
  return typeof asked === 'string' ? asked : ''
}

const DETAILS: Json = {
  parent_model: '',
  format: 'gguf',
  family: 'llama',
  families: ['llama'],
  parameter_size: '1.0B',
  quantization_level: 'Q4_K_M',
}

const tagBody = (engine: Engine, { name, digest, modifiedAt }: OllamaModel): Json => ({
  name,
  model: name,
  modified_at: modifiedAt,
  size: engine.knobs.modelBytes,
  digest,
  details: DETAILS,
})

const resident = (engine: Engine, models: OllamaModels): Json[] =>
  models
    .all()
    // Also those that are being loaded: the daemon lists every runner it has.
    .filter((model) => model.residency !== 'on_disk')
    .map(({ name, digest, expiresAtMs }) => ({
      name,
      model: name,
      size: engine.knobs.vramBytes + engine.knobs.cpuBytes,
      digest,
      details: DETAILS,
      expires_at: new Date(Math.min(expiresAtMs, FAR_FUTURE_MS)).toISOString(),
      size_vram: engine.knobs.vramBytes,
      context_length: engine.knobs.ctx,
    }))

const show = (engine: Engine, models: OllamaModels, { body, response }: Call): void => {
  const name = nameOf(body)
  if (models.find(name) === undefined) {
    return answerJson(response, 404, { error: `model '${name}' not found` })
  }
  answerJson(response, 200, {
    parameters: '',
    template: '{{ .Prompt }}',
    details: DETAILS,
    model_info: { 'general.architecture': 'llama', 'llama.context_length': engine.knobs.ctx },
    capabilities: ['completion'],
  })
}

/**
 * NDJSON frames up to `success`, or an error after the 200. What was pulled stays, and the next
 * pull goes on from there; the model is on disk only once all of it is.
 */
const pull = async (engine: Engine, models: OllamaModels, call: Call): Promise<void> => {
  const { body, response } = call
  const name = nameOf(body)
  if (name === '') return answerJson(response, 400, { error: 'model is required' })
  const isStream = body.stream !== false
  const left = new AbortController()
  response.once('close', () => left.abort())
  const write = (frame: Json) => {
    if (isStream) response.write(`${JSON.stringify(frame)}\n`)
  }
  const end = (frame: Json) => {
    if (isStream) response.end(`${JSON.stringify(frame)}\n`)
    else answerJson(response, 'error' in frame ? 500 : 200, frame)
  }
  if (isStream) response.writeHead(200, { 'content-type': 'application/x-ndjson' })
  write({ status: 'pulling manifest' })
  if (engine.knobs.absentModels.includes(name)) return end({ error: NO_MANIFEST })
  const error = await pullLayer(engine, models, { name, write, response, signal: left.signal })
  if (left.signal.aborted || response.destroyed) return
  if (error !== undefined) return end({ error })
  write({ status: 'verifying sha256 digest' })
  write({ status: 'writing manifest' })
  models.add(name)
  end({ status: 'success' })
}

interface Pulling {
  readonly name: string
  readonly write: (frame: Json) => void
  readonly response: Call['response']
  readonly signal: AbortSignal
}

/** The bytes of the one layer of a model; the error that the knobs want, or nothing. */
const pullLayer = async (
  engine: Engine,
  models: OllamaModels,
  { name, write, response, signal }: Pulling,
): Promise<string | undefined> => {
  const hex = Buffer.from(tagged(name)).toString('hex').padEnd(64, '0').slice(0, 64)
  const { modelBytes: total } = engine.knobs
  const layer = { status: `pulling ${hex.slice(0, 12)}`, digest: `sha256:${hex}`, total }
  write(layer)
  const before = models.partOf(name)
  const from = Math.floor((PULL_STEPS * before) / total)
  for (let step = from + 1; step <= PULL_STEPS; step += 1) {
    await pause(engine.knobs.pullMs / PULL_STEPS, signal)
    if (signal.aborted) return undefined
    const { pullError, pullCutPercent } = engine.knobs
    if (pullError !== '' && 2 * step > PULL_STEPS) return pullError
    const completed = Math.round((total * step) / PULL_STEPS)
    models.keepPart(name, completed)
    write({ ...layer, completed })
    const cutAt = (total * pullCutPercent) / 100
    if (pullCutPercent > 0 && before < cutAt && completed >= cutAt) {
      // What was written is to arrive before the cut.
      await new Promise((flushed) => setImmediate(flushed))
      response.destroy()
      return undefined
    }
  }
  return undefined
}
