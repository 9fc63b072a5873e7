import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import type { Engine } from './engine.ts'
import type { Job } from './job.ts'

export type Json = Readonly<Record<string, unknown>>

/** One request as a route sees it. */
export interface Call {
  readonly request: IncomingMessage
  readonly response: ServerResponse
  readonly url: URL
  /** The parsed body of a POST; `{}` when it has none. */
  readonly body: Json
}

export type Handler = (call: Call) => void | Promise<void>

/** An HTTP dialect and the manners of the engine that speaks it. */
export interface EngineDialect {
  /** Keys are `METHOD /path`. */
  readonly routes: ReadonlyMap<string, Handler>
  /** `refused`: not listening; `answered`: 503 on every route; `serving`: up at once. */
  readonly whileLoading: 'refused' | 'answered' | 'serving'
  readonly loadingBody: Json
  needsKey(path: string): boolean
  unauthorized: Json
  notFound(call: Call): void
  malformedBody(call: Call): void
  errorBody(status: number, message: string): Json
  /** The client of a job that is not done has left. */
  onClientGone(job: Job): void
  /** A token or an answer was produced. */
  onResult(): void
  /** llama.cpp closes the socket after a stream without a word. */
  readonly closesAfterStream: boolean
  /** ollama survives: the load that did not fit is answered with the error. */
  readonly diesOutOfMemory: boolean
  /** Leaves SIGTERM to the system while it loads: llama.cpp. */
  readonly diesOfSigtermWhileLoading: boolean
  readonly lines: DialectLines
  /** SIGTERM after the process is up. The first of several has `count` 1. */
  onTerminate(count: number, server: Server): void
}

/** What the engine prints at the stations of its life. */
export interface DialectLines {
  starting(engine: Engine): readonly string[]
  loaded(engine: Engine): readonly string[]
  oom(engine: Engine): readonly string[]
  crash: readonly string[]
  portTaken(engine: Engine, port: number): readonly string[]
  stream: 'out' | 'err'
}
