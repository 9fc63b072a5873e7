/** A reference that was read: where the files of a model come from. */
export type ModelSourceRef = FileRef | HubRef | HttpsRef | OllamaRef | OciRef

interface Read {
  /** One spelling for all that mean the same; names the model on disk. */
  readonly canonical: string
}

/** `file:PATH`: a file or folder of this machine, absolute or below the first allowed root. */
export interface FileRef extends Read {
  readonly scheme: 'file'
  readonly path: string
}

/** `hf:ORG/NAME[@REVISION][:SELECTOR]`: a repository of the Hub. */
export interface HubRef extends Read {
  readonly scheme: 'hf'
  /** `ORG/NAME`. */
  readonly repository: string
  /** A branch, tag or commit; `main` unless given. */
  readonly revision: string
  /** A file, a pattern with `*`, or a quantization such as `Q4_K_M`. */
  readonly selector?: string
}

/** `https://...`: one file. */
export interface HttpsRef extends Read {
  readonly scheme: 'https'
  readonly url: URL
  /** Of letters, digits, `.`, `_` and `-`. */
  readonly fileName: string
}

/** `ollama:[HOST/][NAMESPACE/]NAME[:TAG]`. */
export interface OllamaRef extends Read {
  readonly scheme: 'ollama'
  /** With its port, when it has one. */
  readonly host: string
  /** Such as `library/qwen3`. */
  readonly repository: string
  readonly tag: string
}

/** `oci:HOST[:PORT]/REPOSITORY[:TAG][@sha256:HEX]`. */
export interface OciRef extends Read {
  readonly scheme: 'oci'
  readonly host: string
  readonly repository: string
  /** A tag, or a digest `sha256:...`, which wins over a tag. */
  readonly reference: string
}
