/** One request to the ingress of a pool. */
export interface IngressRequest {
  /** `host:port` */
  readonly address: string
  /** The route, and the query as the client sent it. */
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  /** The client's bytes, untouched. */
  readonly body: Uint8Array
  /** Aborting it ends the request at any stage; the ingress then stops the engine. */
  readonly signal: AbortSignal
}

/** What an ingress answered: the engine's answer, or a refusal. */
export interface IngressResponse {
  readonly status: number
  /** Lower-case names. */
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>
  /** Throws when the body breaks off before its end. */
  readonly body: AsyncIterable<Uint8Array>
  /** Complete only after the body ended. */
  trailers(): Readonly<Record<string, string | undefined>>
  /** Gives the body up without reading it. */
  discard(): void
}

/** The way to engines, as a port. Rejects when no answer came: nothing was relayed then. */
export type Ingress = (request: IngressRequest) => Promise<IngressResponse>
