import { basename, dirname, join } from 'node:path'
import { existsSync } from 'node:fs'
import {
  assertSafeShardFilename,
  parseSafetensorsMetadata,
  type SafetensorsFileHeader,
  type TensorInfo,
} from '@huggingface/hub'
import { HeaderFault } from './header-fault.ts'
import { LOCAL_HUB, localFetch, localRepository } from './local-fetch.ts'
import type { SafetensorsHeader } from './model-header.ts'
import { type JsonObject, pruned, readJsonObject } from './read-json.ts'
import { regularSize } from './regular-file.ts'
import { createTensorSums, type TensorEntry } from './sum-tensors.ts'

/**
 * Reads what a folder of safetensors says: `config.json`, `hf_quant_config.json`, and the header of
 * each file that its index names. Throws a `HeaderFault`, or whatever the parser throws.
 */
export const readSafetensors = async (dir: string): Promise<SafetensorsHeader> => {
  const config = await readJsonObject(join(dir, 'config.json'), MAX_CONFIG_BYTES)
  const quantPath = join(dir, 'hf_quant_config.json')
  const quantConfig = existsSync(quantPath) && (await readJsonObject(quantPath, MAX_CONFIG_BYTES))
  const sums = createTensorSums()
  // One after the other: what is kept of a file is small, its header is not.
  for (const name of await filesOf(dir)) await addFile(dir, name, sums)
  return {
    kind: 'safetensors',
    config: pruned(config) as JsonObject,
    ...(quantConfig && { quantConfig: pruned(quantConfig) as JsonObject }),
    tensors: sums.sums(),
  }
}

/** A single file of safetensors, with the `config.json` beside it, if there is one. */
export const readSafetensorsFile = async (path: string): Promise<SafetensorsHeader> => {
  const configPath = join(dirname(path), 'config.json')
  const hasConfig = existsSync(configPath)
  const config = hasConfig ? await readJsonObject(configPath, MAX_CONFIG_BYTES) : {}
  const sums = createTensorSums()
  await addFile(dirname(path), basename(path), sums)
  return { kind: 'safetensors', config: pruned(config) as JsonObject, tensors: sums.sums() }
}

const MAX_CONFIG_BYTES = 1024 ** 2
const MAX_INDEX_BYTES = 64 * 1024 ** 2
const MAX_FILES = 2_000
const SINGLE = 'model.safetensors'
const INDEX = 'model.safetensors.index.json'

const filesOf = async (dir: string): Promise<readonly string[]> => {
  if (!existsSync(join(dir, INDEX))) return [SINGLE]
  const path = join(dir, INDEX)
  const { weight_map: map } = await readJsonObject(path, MAX_INDEX_BYTES)
  if (typeof map !== 'object' || map === null) throw new HeaderFault(path, 'it has no weight_map')
  const names = new Set<unknown>(Object.values(map))
  if (names.size > MAX_FILES) throw new HeaderFault(path, `it names ${names.size} files`)
  return [...names].map((name) => {
    if (typeof name !== 'string') throw new HeaderFault(path, 'its weight_map names no files')
    try {
      assertSafeShardFilename(name)
    } catch {
      throw new HeaderFault(
        path,
        `it names ${JSON.stringify(name.slice(0, 80))}, outside its folder`,
      )
    }
    return name
  })
}

const addFile = async (
  dir: string,
  name: string,
  sums: ReturnType<typeof createTensorSums>,
): Promise<void> => {
  const path = join(dir, name)
  const parsed = await parseSafetensorsMetadata({
    ...{ repo: localRepository, hubUrl: LOCAL_HUB, fetch: localFetch(dir) },
    path: name.split('/').map(encodeURIComponent).join('/'),
  }).catch((error: unknown) => {
    throw Error.isError(error) && !(error instanceof HeaderFault)
      ? new HeaderFault(path, error.message)
      : error
  })
  if (parsed.sharded) throw new HeaderFault(path, 'it is an index and no file of weights')
  sums.addFile(path, await regularSize(path), entriesOf(path, parsed.header))
}

/** The parser has looked at shapes and offsets, and at nothing else. */
const entriesOf = function* (path: string, header: SafetensorsFileHeader): Generator<TensorEntry> {
  for (const [name, value] of Object.entries(header)) {
    if (name === '__metadata__') continue
    const {
      dtype,
      shape,
      data_offsets: span,
    } = value as Omit<TensorInfo, 'dtype'> & {
      readonly dtype: unknown
    }
    if (typeof dtype !== 'string') {
      throw new HeaderFault(path, `tensor ${JSON.stringify(name.slice(0, 80))} has no type`)
    }
    const parameters = shape.reduce((product, size) => product * size, 1)
    yield { name, kind: dtype.slice(0, 32), parameters, bytes: span[1] - span[0] }
  }
}
