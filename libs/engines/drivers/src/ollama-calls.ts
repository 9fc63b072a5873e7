import type {
  CallSign,
  EngineDriver,
  EngineCall,
  ListedModel,
  ModelCalls,
} from '@berth/supervision'
import { reportOfError } from './ollama-failures.ts'
import { ollamaNameOf, shortName } from './ollama-name.ts'
import { maxLoadedOf } from './ollama-options.ts'
import { isObject, readObject } from './read-json.ts'

/** Between two lines of a pull; a registry that sends nothing for so long is gone. */
const PULL_SILENCE_MS = 60_000
/** A load says nothing until it is done: its stall limit is the daemon's own default. */
const LOAD_SILENCE_MS = 300_000
const UNLOAD_SILENCE_MS = 30_000
/** The daemon tells a model that stays by a date centuries away. */
const FOR_EVER_MS = Date.UTC(2200, 0, 1)
/** Models of one list that are read; nobody has more. */
const LISTED_MAX = 10_000

/** How models come to and go from a daemon (engines.md 3). */
export const ollamaCalls: NonNullable<EngineDriver['modelCalls']> = (spec): ModelCalls => {
  const maxResident = maxLoadedOf(spec)
  return {
    pull: (model) => post('/api/pull', { model, stream: true }, PULL_SILENCE_MS),
    // Without a prompt it only loads; the API takes seconds, and -1 for ever.
    load: (model, { ttlMs }) =>
      post(
        '/api/generate',
        { model, stream: false, keep_alive: ttlMs === undefined ? -1 : Math.ceil(ttlMs / 1_000) },
        LOAD_SILENCE_MS,
      ),
    unload: (model) =>
      post('/api/generate', { model, stream: false, keep_alive: 0 }, UNLOAD_SILENCE_MS),
    residentPath: '/api/ps',
    readResident: (body) => readModelList(body, readResidentModel),
    onDiskPath: '/api/tags',
    readOnDisk: (body) => readModelList(body, ({ facts }) => facts),
    nameOf: ollamaNameOf,
    ...(maxResident === undefined ? {} : { maxResident }),
    readLine,
  }
}

const post = (path: string, body: object, timeoutMs: number): EngineCall => ({
  method: 'POST',
  path,
  body: JSON.stringify(body),
  timeoutMs,
})

type Json = Readonly<Record<string, unknown>>
interface Entry {
  readonly facts: ListedModel
  readonly model: Json
}

const readModelList = (
  body: string,
  read: (entry: Entry) => ListedModel,
): readonly ListedModel[] | undefined => {
  const models = readObject(body)?.models
  if (!Array.isArray(models)) return undefined
  return models
    .slice(0, LISTED_MAX)
    .map(entryOf)
    .filter((entry) => entry !== undefined)
    .map(read)
}

const entryOf = (model: unknown): Entry | undefined => {
  if (!isObject(model)) return undefined
  const { name = model.model, digest, details } = model
  if (typeof name !== 'string' || name === '') return undefined
  const quantization = isObject(details) ? details.quantization_level : undefined
  const facts = {
    modelId: shortName(name),
    ...(typeof digest === 'string' && /^[0-9a-f]{64}$/.test(digest)
      ? { digest: `sha256:${digest}` }
      : {}),
    ...(typeof quantization === 'string' && quantization !== ''
      ? { quantization: quantization.slice(0, 64) }
      : {}),
  }
  return { facts, model }
}

/** `size` is all it takes, `size_vram` what of it is on GPUs. */
const readResidentModel = ({ facts, model }: Entry): ListedModel => {
  const expiresAtMs = typeof model.expires_at === 'string' ? Date.parse(model.expires_at) : NaN
  const { context_length: contextLength } = model
  return {
    ...facts,
    ...bytes('memoryBytes', model.size),
    ...bytes('gpuBytes', model.size_vram),
    ...(expiresAtMs > 0 && expiresAtMs < FOR_EVER_MS ? { expiresAtMs } : {}),
    ...(isCount(contextLength) && contextLength > 0 ? { contextLength } : {}),
  }
}

const isCount = (value: unknown): value is number =>
  Number.isSafeInteger(value) && Number(value) >= 0

const bytes = (name: 'memoryBytes' | 'gpuBytes', value: unknown) =>
  isCount(value) ? { [name]: value } : {}

/** A line of a pull, or the one answer of a load or an unload. */
const readLine = (line: string, status: number): CallSign | undefined => {
  const said = readObject(line)
  const error = said?.error
  if (typeof error === 'string') return { kind: 'failed', report: reportOfError(error, status) }
  if (status < 200 || status >= 300)
    return { kind: 'failed', report: reportOfError(`${status} ${line}`.trim(), status) }
  if (!said) return undefined
  if (said.done === true || said.status === 'success') return { kind: 'done' }
  return typeof said.status === 'string' ? progressOf(said.status, said) : undefined
}

const progressOf = (step: string, { digest, total, completed }: Json): CallSign => ({
  kind: 'progress',
  step: step.slice(0, 200),
  ...(typeof digest === 'string' ? { part: digest.slice(0, 100) } : {}),
  ...(isCount(total) ? { bytesTotal: total, bytesDone: isCount(completed) ? completed : 0 } : {}),
})
