/** What a gateway asks an ingress for. */
export interface AskFrame {
  readonly kind: 'ask'
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  /** Text of the body. */
  readonly body: string
}

/** An answer in its parts: one head, chunks, one end. A connection that closes before is cut. */
export type AnswerFrame =
  | {
      readonly kind: 'head'
      readonly status: number
      readonly headers: Readonly<Record<string, string>>
    }
  | { readonly kind: 'chunk'; readonly text: string }
  | { readonly kind: 'end'; readonly trailers: Readonly<Record<string, string>> }

/** Frames of HTTP as they cross the simulated network. */
export const encodeFrame = (frame: AskFrame | AnswerFrame): Uint8Array =>
  new TextEncoder().encode(JSON.stringify(frame))

export const decodeFrame = <T extends AskFrame | AnswerFrame>(bytes: Uint8Array): T =>
  JSON.parse(new TextDecoder().decode(bytes)) as T
