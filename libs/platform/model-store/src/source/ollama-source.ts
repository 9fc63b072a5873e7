import { BerthError } from '@berth/kernel'
import { FILES_DIR } from '../disk/store-paths.ts'
import type { OllamaRef } from '../ref/model-ref.ts'
import type { FetchPlan, PlannedFile } from './fetch-plan.ts'
import { createRegistry, type Layer } from './registry.ts'
import type { SourceDeps, Wanted } from './source.ts'

const MODEL_LAYER = 'application/vnd.ollama.image.model'

/** The GGUF of a model of Ollama's registry. Engines other than Ollama read it as it is. */
export const planOllama = async (
  deps: SourceDeps,
  { host, repository, tag }: OllamaRef,
  { want }: Wanted,
  signal: AbortSignal,
): Promise<FetchPlan> => {
  if (want === 'snapshot')
    throw new BerthError(
      'INVALID_PARAMS',
      `ollama: names GGUF files, and this engine reads a repository. Use hf:ORG/NAME.`,
      { facts: { param: 'model' } },
    )
  const registry = createRegistry(deps, { host, repository })
  const { value } = await registry.manifest(tag, signal)
  const models = (value.layers ?? []).filter(({ mediaType }) => mediaType === MODEL_LAYER)
  const [layer, ...others] = models
  if (!layer || others.length > 0)
    throw new BerthError(
      'MODEL_NOT_FOUND',
      `${repository}:${tag} holds ${models.length} GGUF files instead of one${layer ? '' : ': it runs in the cloud, or in another format'}. Choose another tag, or load it with engine ollama.`,
    )
  const path = `${blobDir(layer)}/model.gguf`
  return { kind: 'file', path, files: [toPlanned(registry, layer, path)] }
}

/** Where the content of a layer stands: tags that share it share the file. */
export const blobDir = ({ digest }: Layer): string => `${FILES_DIR}/${digest.replace(':', '-')}`

/** A layer as a file that can be fetched and verified. */
export const toPlanned = (
  registry: ReturnType<typeof createRegistry>,
  layer: Layer,
  path: string,
  name = layer.digest.slice(0, 19),
): PlannedFile => ({
  ...{ name, path, sizeBytes: layer.size },
  check: { kind: 'sha256', hex: layer.digest.slice('sha256:'.length) },
  open: (headers, signal) => registry.openBlob(layer.digest, headers, signal),
  refuse: registry.refuse,
})
