import { z } from 'zod'
import type { StoredModel } from '../model-store.ts'
import { ProcessMarkSchema } from './process-mark.ts'

const path = z
  .string()
  .min(1)
  .max(2048)
  .refine((text) => !text.startsWith('/') && !text.split('/').includes('..'))

/** One file of a model on disk. Paths are below the root of the store. */
const FileSchema = z.object({
  path,
  link: path.optional(),
  name: z.string(),
  sizeBytes: z.number().int().nonnegative().optional(),
  sha256: z
    .string()
    .regex(/^[0-9a-f]{64}$/)
    .optional(),
})

const ManifestSchema = z.object({
  version: z.literal(1),
  /** As it was asked for. */
  ref: z.string(),
  canonical: z.string(),
  want: z.enum(['gguf', 'snapshot']),
  kind: z.enum(['file', 'snapshot']),
  path,
  revision: z.string().optional(),
  files: z.array(FileSchema).max(20_000),
  isComplete: z.boolean(),
  isPinned: z.boolean(),
  fetchedAtMs: z.number().optional(),
  lastUsedAtMs: z.number(),
  /** Agents that used it; see `model-users.ts`. */
  users: z.array(ProcessMarkSchema).max(64).optional(),
})

/** What the store knows of one model: which files it is made of, and when it was used. */
export type ModelManifest = Readonly<z.infer<typeof ManifestSchema>>
/** One of its files. */
export type ManifestFile = ModelManifest['files'][number]

/** The manifest, or `undefined` for anything else: half a file, one of another version. */
export const readManifestText = (text: string): ModelManifest | undefined => {
  try {
    return ManifestSchema.safeParse(JSON.parse(text)).data
  } catch {
    // Not JSON: the model is as if it were not here, and is fetched again.
    return undefined
  }
}

/** What callers see of it. `bytesDone`: bytes of its files that are on the disk. */
export const toStoredModel = (
  manifest: ModelManifest,
  fullPath: string,
  bytesDone: number,
): StoredModel => {
  const { ref, kind, files, isComplete, lastUsedAtMs, isPinned, revision, fetchedAtMs } = manifest
  const [only, ...others] = files
  const sha256 = kind === 'file' && others.length === 0 ? only?.sha256 : undefined
  return {
    ...{ ref, path: fullPath, kind, isComplete, bytesDone, lastUsedAtMs, isPinned },
    sizeBytes: Math.max(
      bytesDone,
      files.reduce((sum, { sizeBytes = 0 }) => sum + sizeBytes, 0),
    ),
    ...(sha256 === undefined ? {} : { digest: `sha256:${sha256}` }),
    ...(revision === undefined ? {} : { revision }),
    ...(fetchedAtMs === undefined ? {} : { fetchedAtMs }),
  }
}
