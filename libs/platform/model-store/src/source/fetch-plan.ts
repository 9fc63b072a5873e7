import type { GetAnswer } from '../egress/http-get.ts'

/** How the content of a file is known before it is here. */
export type FileCheck =
  | { readonly kind: 'sha256'; readonly hex: string }
  /** The id that git gives the content: sha1 of `blob SIZE\0` and the bytes. */
  | { readonly kind: 'git'; readonly hex: string }

/** How a file is asked for. The range headers come from the download. */
export type OpenFile = (
  headers: Readonly<Record<string, string>>,
  signal: AbortSignal,
) => Promise<GetAnswer>

/** One file of a model, and where it goes. Paths are below the store's root, with `/`. */
export interface PlannedFile {
  /** For people. */
  readonly name: string
  readonly path: string
  /** A symbolic link to `path`, made when the file is whole. */
  readonly link?: string
  readonly sizeBytes?: number
  readonly check?: FileCheck
  readonly open: OpenFile
  /** What an answer other than 200 or 206 means. Never returns an error that may be retried. */
  refuse(answer: GetAnswer): Error
}

/** Everything that makes a model present. */
export interface FetchPlan {
  readonly kind: 'file' | 'snapshot'
  /** What an engine is given: a file or folder below the root. */
  readonly path: string
  readonly files: readonly PlannedFile[]
  /** The commit of a repository. */
  readonly revision?: string
  /** Small texts to write when all files are whole, such as what a branch points to. */
  readonly notes?: readonly { readonly path: string; readonly text: string }[]
}
