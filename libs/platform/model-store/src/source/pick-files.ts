import { BerthError } from '@berth/kernel'
import { matchesPattern } from './match-pattern.ts'
import type { Wanted } from './source.ts'

/** A file as a repository lists it. */
export interface ListedFile {
  readonly path: string
}

/** What of a repository is wanted, and what an engine is given of it. */
export type Picked<F extends ListedFile> =
  | { readonly kind: 'file'; readonly files: readonly F[]; readonly first: F }
  | { readonly kind: 'snapshot'; readonly files: readonly F[] }

const SHARD = /-(\d{5})-of-(\d{5})\.gguf$/i
const WEIGHTS = /\.(?:safetensors|bin|pt|pth|ckpt|gguf|onnx|h5|msgpack|npz|tflite|ot|mlmodel)$/i
const CONFIG = /\.(?:json|txt|model|py|jinja|tiktoken|jsonl|yaml|yml|spm|vocab|merges)$/i
/** Formats of weights that engines read, best first. */
const FORMATS = [/\.safetensors$/i, /\.bin$/i, /\.(?:pt|pth)$/i]
const SHOWN_CHOICES = 12

/**
 * Chooses files. One GGUF with all its shards when `want` is `gguf` or the selector names one; else
 * what an engine reads of a repository: configuration, tokenizer, and weights in one format.
 * Throws `INVALID_PARAMS` where a choice has to be made (no quantization is chosen for anyone) and
 * `MODEL_NOT_FOUND` where nothing fits.
 */
export const pickFiles = <F extends ListedFile>(
  all: readonly F[],
  selector: string | undefined,
  { want, allow, ignore }: Wanted,
): Picked<F> => {
  const files = all.filter(
    ({ path }) =>
      (!allow || allow.some((pattern) => matchesPattern(pattern, path))) &&
      !ignore?.some((pattern) => matchesPattern(pattern, path)),
  )
  if (want === 'gguf' || /\.gguf$/i.test(selector ?? '')) return pickGguf(files, selector)
  return { kind: 'snapshot', files: pickSnapshot(files, selector, allow !== undefined) }
}

const pickGguf = <F extends ListedFile>(files: readonly F[], selector?: string): Picked<F> => {
  const ggufs = files.filter(({ path }) => /\.gguf$/i.test(path))
  // Projectors of multimodal models are no model; they are fetched when they are named.
  const models = ggufs.filter(({ path }) => !/(?:^|\/)mmproj/i.test(path))
  if (ggufs.length === 0)
    throw notFound('holds no GGUF file', 'Choose a repository of GGUF files, or engine vllm.')
  const fitting = selector === undefined ? models : select(ggufs, models, selector)
  const groups = Map.groupBy(fitting, ({ path }) => path.replace(SHARD, ''))
  const [only, ...others] = groups.values()
  if (only === undefined)
    throw notFound(`holds no GGUF file that fits ${JSON.stringify(selector)}`, choices(models))
  if (others.length > 0)
    throw new BerthError(
      'INVALID_PARAMS',
      `The repository holds ${groups.size} models that ${selector === undefined ? 'could be meant' : `fit ${JSON.stringify(selector)}`}. ${choices(fitting)}`,
      { facts: { param: 'model' } },
    )
  const sorted = only.toSorted((a, b) => (a.path < b.path ? -1 : 1))
  const first = sorted[0]!
  const shards = Number(SHARD.exec(first.path)?.[2] ?? 1)
  if (shards !== sorted.length)
    throw notFound(
      `has ${sorted.length} of the ${shards} parts of ${first.path}`,
      'Choose another.',
    )
  return { kind: 'file', files: sorted, first }
}

const select = <F extends ListedFile>(
  ggufs: readonly F[],
  models: readonly F[],
  selector: string,
): readonly F[] => {
  const named = ggufs.filter(({ path }) => path === selector)
  const [shard] = named
  // One shard stands for all of its model.
  if (shard && SHARD.test(shard.path)) {
    const stem = shard.path.replace(SHARD, '')
    return ggufs.filter(({ path }) => path.replace(SHARD, '') === stem)
  }
  if (shard) return named
  if (/[*?]/.test(selector)) return models.filter(({ path }) => matchesPattern(selector, path))
  if (/[./]/.test(selector)) return []
  return models.filter(({ path }) => isOfQuantization(path, selector))
}

/** `Q4_K_M` in `folder/name-Q4_K_M-00001-of-00002.gguf` or `Q4_K_M/name.gguf`, not in `IQ4_K_M`. */
const isOfQuantization = (path: string, quantization: string): boolean => {
  const parts = path
    .toLowerCase()
    .replace(SHARD, '')
    .replace(/\.gguf$/i, '')
    .split(/[-./]/)
  return parts.includes(quantization.toLowerCase())
}

const pickSnapshot = <F extends ListedFile>(
  files: readonly F[],
  selector: string | undefined,
  isChosen: boolean,
): readonly F[] => {
  if (isChosen && selector === undefined) return some(files)
  // Folders hold other exports of the same weights (`original/`, `onnx/`): engines read the top.
  const configs = files.filter(
    ({ path }) => CONFIG.test(path) && !/^(?:original|onnx)\//.test(path),
  )
  if (selector !== undefined) {
    const named = files.filter(({ path }) => path === selector || matchesPattern(selector, path))
    if (named.length === 0)
      throw notFound(`holds no file that fits ${JSON.stringify(selector)}`, 'Choose another.')
    return [...new Set([...configs, ...named])]
  }
  const top = files.filter(({ path }) => WEIGHTS.test(path) && !path.includes('/'))
  const weights = FORMATS.map((format) => top.filter(({ path }) => format.test(path))).find(
    (found) => found.length > 0,
  )
  if (weights) return [...configs, ...withoutTwin(weights)]
  if (files.some(({ path }) => /\.gguf$/i.test(path)))
    throw notFound('holds GGUF files only', `Name one: ${choices(files)}`)
  throw notFound('holds no weights that an engine reads', 'Choose another repository.')
}

/** Mistral puts the same weights there twice: `consolidated.safetensors` beside the shards. */
const withoutTwin = <F extends ListedFile>(weights: readonly F[]): readonly F[] => {
  const rest = weights.filter(({ path }) => !/^consolidated[-.]/.test(path))
  return rest.length > 0 ? rest : weights
}

const some = <F extends ListedFile>(files: readonly F[]): readonly F[] => {
  if (files.length === 0) throw notFound('holds no file that fits', 'Choose other patterns.')
  return files
}

const choices = (files: readonly ListedFile[]): string => {
  const names = files
    .filter(({ path }) => /\.gguf$/i.test(path) && !/-0000[2-9]-of-|-000[1-9]\d-of-/.test(path))
    .map(({ path }) => path.slice(0, 120))
  const more = names.length > SHOWN_CHOICES ? `, and ${names.length - SHOWN_CHOICES} more` : ''
  return `Add :FILE to the reference, one of ${names.slice(0, SHOWN_CHOICES).join(', ')}${more}.`
}

const notFound = (fact: string, nextStep: string) =>
  new BerthError('MODEL_NOT_FOUND', `The repository ${fact}. ${nextStep}`)
