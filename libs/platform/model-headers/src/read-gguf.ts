import { basename } from 'node:path'
import { gguf, type GGUFParseOutput, parseGgufShardFilename } from '@huggingface/gguf'
import { ggmlType } from './ggml-types.ts'
import { HeaderFault } from './header-fault.ts'
import { fileFetch, LOCAL_FILE } from './local-fetch.ts'
import { regularSize } from './regular-file.ts'
import type { GgufHeader, HeaderValue } from './model-header.ts'
import { createTensorSums, type TensorEntry } from './sum-tensors.ts'

/**
 * Reads the header of a GGUF file, and of its other shards where its name counts them. Throws a
 * `HeaderFault`, or whatever the parser throws: it has limits of its own for every count.
 */
export const readGguf = async (path: string): Promise<GgufHeader> => {
  const sums = createTensorSums()
  const metadata = new Map<string, HeaderValue>()
  const arrayLengths = new Map<string, number>()
  for (const shard of shardsOf(path)) {
    const sizeBytes = await regularSize(shard)
    const parsed = await gguf(LOCAL_FILE, { fetch: fileFetch(shard, sizeBytes) }).catch(
      (error: unknown) => {
        throw Error.isError(error) ? new HeaderFault(shard, error.message) : error
      },
    )
    sums.addFile(shard, sizeBytes, tensorsOf(shard, parsed, sizeBytes))
    // The first shard has the metadata of all.
    if (metadata.size === 0) keepMetadata(parsed, metadata, arrayLengths)
  }
  return {
    kind: 'gguf',
    metadata: Object.fromEntries(metadata),
    arrayLengths: Object.fromEntries(arrayLengths),
    tensors: sums.sums(),
  }
}

const MAX_SHARDS = 512

const shardsOf = (path: string): string[] => {
  const named = parseGgufShardFilename(basename(path))
  if (!named) return [path]
  const total = Number(named.total)
  if (total > MAX_SHARDS) throw new HeaderFault(path, `its name counts ${total} shards`)
  const stem = path.slice(0, -`-${named.shard}-of-${named.total}.gguf`.length)
  return Array.from(
    { length: total },
    (_, at) => `${stem}-${String(at + 1).padStart(5, '0')}-of-${named.total}.gguf`,
  )
}

/** Sizes by type; of a type that is not known, up to where the next tensor begins. */
const tensorsOf = function* (
  path: string,
  parsed: GGUFParseOutput,
  sizeBytes: number,
): Generator<TensorEntry> {
  const dataBytes = sizeBytes - Number(parsed.tensorDataOffset)
  // A file without tensors may end with its header; the parser counts its padding.
  if (dataBytes < (parsed.tensorInfos.length > 0 ? 0 : -32)) {
    throw new HeaderFault(path, `its header does not end within ${sizeBytes} bytes`)
  }
  const begins = parsed.tensorInfos.map(({ offset }) => Number(offset)).sort((a, b) => a - b)
  const nextOf = new Map(begins.map((begin, at) => [begin, begins[at + 1] ?? dataBytes]))
  for (const { name, shape, dtype, offset } of parsed.tensorInfos) {
    const parameters = shape.reduce((product, size) => product * Number(size), 1)
    const type = ggmlType(dtype)
    const begin = Number(offset)
    const bytes = type
      ? Math.ceil(parameters / type.numbers) * type.bytes
      : (nextOf.get(begin) ?? begin) - begin
    if (begin + bytes > dataBytes) {
      const end = Number(parsed.tensorDataOffset) + begin + bytes
      const fact = `tensor ${printable(name)} ends at byte ${end} of ${sizeBytes}: the file is cut off or damaged`
      throw new HeaderFault(path, fact)
    }
    yield { name, kind: type?.name ?? `type ${dtype}`, parameters, bytes }
  }
}

const MAX_KEYS = 2_000
const MAX_TEXT = 200
const MAX_ARRAY = 1_024

const keepMetadata = (
  { metadata }: GGUFParseOutput,
  kept: Map<string, HeaderValue>,
  lengths: Map<string, number>,
): void => {
  for (const [key, value] of Object.entries(metadata as Record<string, unknown>)) {
    if (key.length > MAX_TEXT || kept.size + lengths.size >= MAX_KEYS) continue
    const plain = plainValue(value)
    if (plain !== undefined) kept.set(key, plain)
    else if (Array.isArray(value)) lengths.set(key, value.length)
  }
}

const plainValue = (value: unknown): HeaderValue | undefined => {
  if (typeof value === 'boolean') return value
  if (typeof value === 'string') return value.length <= MAX_TEXT ? value : undefined
  if (!Array.isArray(value)) return plainNumber(value)
  if (value.length > MAX_ARRAY) return undefined
  if (value.every((each) => typeof each === 'boolean')) return value
  const numbers = value.map(plainNumber)
  return numbers.every((each) => each !== undefined) ? numbers : undefined
}

/** Whole numbers come as bigint where the file has 64 bits for them. */
const plainNumber = (value: unknown): number | undefined => {
  const number = typeof value === 'bigint' ? Number(value) : value
  return typeof number === 'number' && Number.isFinite(number) ? number : undefined
}

const printable = (name: string): string => JSON.stringify(name.slice(0, 80))
