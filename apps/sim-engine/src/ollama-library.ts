import { answerJson } from './answer-json.ts'
import type { Call, Handler, Json } from './dialect.ts'
import type { Engine } from './engine.ts'
import { tagged, type OllamaModel, type OllamaModels } from './ollama-models.ts'
import { pause } from './pause.ts'

export const OLLAMA_VERSION = '0.13.5'

const FAR_FUTURE_MS = Date.UTC(2318, 0, 1)
const PULL_STEPS = 10

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
    .filter((model) => model.residency === 'resident')
    .map(({ name, digest, expiresAtMs }) => ({
      name,
      model: name,
      size: engine.knobs.vramBytes,
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

/** NDJSON frames up to `success`; a client that leaves cancels, and nothing is on disk then. */
const pull = async (engine: Engine, models: OllamaModels, call: Call): Promise<void> => {
  const { body, response } = call
  const name = nameOf(body)
  if (name === '') return answerJson(response, 400, { error: 'model is required' })
  const isStream = body.stream !== false
  const left = new AbortController()
  response.once('close', () => left.abort())
  if (isStream) response.writeHead(200, { 'content-type': 'application/x-ndjson' })
  for (const frame of pullFrames(engine, name)) {
    if (frame.completed !== undefined) await pause(engine.knobs.pullMs / PULL_STEPS, left.signal)
    if (left.signal.aborted) return
    if (isStream) response.write(`${JSON.stringify(frame)}\n`)
  }
  models.add(name)
  if (!isStream) return answerJson(response, 200, { status: 'success' })
  response.end(`${JSON.stringify({ status: 'success' })}\n`)
}

const pullFrames = (engine: Engine, name: string): Json[] => {
  const hex = Buffer.from(tagged(name)).toString('hex').padEnd(64, '0').slice(0, 64)
  const total = engine.knobs.modelBytes
  const layer = { status: `pulling ${hex.slice(0, 12)}`, digest: `sha256:${hex}`, total }
  const parts = Array.from({ length: PULL_STEPS }, (_, i) => ({
    ...layer,
    completed: Math.round((total * (i + 1)) / PULL_STEPS),
  }))
  return [
    { status: 'pulling manifest' },
    layer,
    ...parts,
    { status: 'verifying sha256 digest' },
    { status: 'writing manifest' },
  ]
}
