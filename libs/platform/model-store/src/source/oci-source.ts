import { createHash } from 'node:crypto'
import { BerthError } from '@berth/kernel'
import { FILES_DIR, shortHash } from '../disk/store-paths.ts'
import type { OciRef } from '../ref/model-ref.ts'
import type { FetchPlan } from './fetch-plan.ts'
import { blobDir, toPlanned } from './ollama-source.ts'
import { createRegistry, type Layer, type RegistryManifest } from './registry.ts'
import { isSafePath } from './repository-path.ts'
import type { SourceDeps, Wanted } from './source.ts'

/** Names a layer's file (OCI image specification, pre-defined annotation keys; the model spec). */
const TITLES = ['org.opencontainers.image.title', 'org.cncf.model.filepath']
/** GGUF as Docker, Ollama and others mark it. */
const GGUF = /\bgguf\b|^application\/vnd\.ollama\.image\.model$/

/** An index may name an index; nobody nests them deeper. */
const MAX_INDEXES = 2

/**
 * The files of an artifact: its GGUF (all parts of it), or every file with a name. Layers that are
 * archives are refused: nothing is unpacked.
 */
export const planOci = async (
  deps: SourceDeps,
  { host, repository, reference }: OciRef,
  { want }: Wanted,
  signal: AbortSignal,
): Promise<FetchPlan> => {
  const registry = createRegistry(deps, { host, repository })
  const { manifest, digest } = await readManifest(registry, reference, signal)
  const layers = manifest.layers ?? []
  const ggufs = layers.filter((layer) => isGguf(layer)).toSorted(byTitle)
  const [first, ...shards] = ggufs
  if (want === 'gguf' || (first && ggufs.length === layers.length)) {
    if (!first) throw unfit(repository, layers, 'no GGUF')
    if (shards.length === 0) {
      const path = `${blobDir(first)}/model.gguf`
      return { kind: 'file', path, files: [toPlanned(registry, first, path)] }
    }
  }
  const chosen = want === 'gguf' ? ggufs : layers
  const named = chosen.filter((layer) => titleOf(layer) !== undefined)
  if (named.length === 0 || (want === 'gguf' && named.length < chosen.length))
    throw unfit(repository, layers, 'no named files')
  const folder = `${FILES_DIR}/oci-${digest.slice(0, 32)}`
  const files = named.map((layer) => {
    const name = titleOf(layer)!
    if (!isSafePath(name) || /\btar\b|\+gzip|\+zstd/.test(layer.mediaType))
      throw unfit(repository, [layer], 'a layer that cannot be used as a file')
    return toPlanned(registry, layer, `${folder}/${name}`, name)
  })
  return want === 'gguf'
    ? { kind: 'file', path: files[0]!.path, files }
    : { kind: 'snapshot', path: folder, files }
}

const readManifest = async (
  registry: ReturnType<typeof createRegistry>,
  reference: string,
  signal: AbortSignal,
  depth = 0,
): Promise<{ readonly manifest: RegistryManifest; readonly digest: string }> => {
  if (depth > MAX_INDEXES)
    throw new BerthError(
      'MODEL_NOT_FOUND',
      `The reference leads through more than ${MAX_INDEXES} indexes. Name the artifact by its digest, @sha256:...`,
    )
  const { value, bytes } = await registry.manifest(reference, signal)
  const digest = createHash('sha256').update(bytes).digest('hex')
  if (reference.startsWith('sha256:') && reference !== `sha256:${digest}`)
    throw new BerthError(
      'UNTRUSTED_ARTIFACT',
      `The registry answers with a manifest of digest sha256:${digest} instead of ${reference}. Use another registry.`,
    )
  if (!value.manifests || value.layers) return { manifest: value, digest }
  const [only, ...others] = value.manifests
  if (!only || others.length > 0)
    throw new BerthError(
      'INVALID_PARAMS',
      `The reference names ${value.manifests.length} artifacts. Name one by its digest, @sha256:...`,
    )
  return readManifest(registry, only.digest, signal, depth + 1)
}

const isGguf = (layer: Layer): boolean =>
  GGUF.test(layer.mediaType) || /\.gguf$/i.test(titleOf(layer) ?? '')

const titleOf = ({ annotations }: Layer): string | undefined =>
  TITLES.map((key) => annotations?.[key]).find((title) => title !== undefined)

const byTitle = (a: Layer, b: Layer): number =>
  (titleOf(a) ?? '').localeCompare(titleOf(b) ?? '', 'en')

const unfit = (repository: string, layers: readonly Layer[], fact: string) => {
  const kinds = [...new Set(layers.map(({ mediaType }) => mediaType.slice(0, 80)))]
  return new BerthError(
    'MODEL_NOT_FOUND',
    `${repository} holds ${fact}: its layers are ${kinds.slice(0, 6).join(', ') || 'none'}. Use an artifact of plain GGUF or safetensors files.`,
    { facts: { artifact: shortHash(repository) } },
  )
}
