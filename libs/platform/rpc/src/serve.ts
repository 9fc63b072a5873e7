import { BerthError, messageOf, type Rng } from '@berth/kernel'
import { Server, ServerCredentials } from '@grpc/grpc-js'
import { setImmediate as nextTurn } from 'node:timers/promises'
import type { CallEnv, OpenCall } from './call-context.ts'
import { SERVER_OPTIONS } from './channel-options.ts'
import { correlationIdMaker } from './correlation-id.ts'
import { handleCall } from './handle-call.ts'
import { createHealth } from './health.ts'
import type { RpcService } from './implement.ts'
import { createReflection } from './reflection.ts'
import type { RpcLog } from './rpc-log.ts'
import { serviceDefinition } from './service-definition.ts'

/** Time for the last statuses to leave before connections are cut. */
const FLUSH_MS = 250

export interface ServeRpcOptions {
  readonly host: string
  /** 0: the system chooses. */
  readonly port: number
  readonly services: readonly RpcService[]
  readonly log: RpcLog
  /** How long calls in progress may take to end once the server is disposed of. */
  readonly drainTimeoutMs: number
  /** Where correlation ids come from when a caller sent none. Default: the system. */
  readonly rng?: Rng
}

export interface RpcServer extends AsyncDisposable {
  readonly port: number
  /** What the health service answers for every service. Serving at first. */
  setServing(isServing: boolean): void
}

/**
 * Serves the services with health and reflection on a plain-text HTTP/2 port. Throws
 * `PORT_IN_USE` when it cannot be bound.
 *
 * Disposing drains: health turns NOT_SERVING, nothing new is accepted, streams end with
 * `RPC_UNAVAILABLE` and their signals abort, unary calls may end until `drainTimeoutMs`, then they
 * are aborted too and connections are cut.
 */
export const serveRpc = async (options: ServeRpcOptions): Promise<RpcServer> => {
  const calls = new Set<OpenCall>()
  let refusal: BerthError | undefined
  const env: CallEnv = {
    log: options.log,
    mintCorrelationId: correlationIdMaker(options.rng),
    calls,
    refusal: () => refusal,
  }
  const health = createHealth(options.services.map(({ service }) => service.typeName))
  const server = new Server(SERVER_OPTIONS)
  const standard = [
    health.rpcService,
    ...createReflection([...options.services, health.rpcService].map(({ service }) => service)),
  ]
  for (const rpcService of [...options.services, ...standard]) register(server, rpcService, env)
  const port = await bind(server, options)

  const drain = async (): Promise<void> => {
    health.setServing(false)
    await nextTurn()
    refusal = new BerthError('RPC_UNAVAILABLE', 'This server is shutting down.')
    abort(calls, refusal, (call) => call.isStreaming)
    const closed = new Promise<void>((resolve) => server.tryShutdown(() => resolve()))
    if (await isDoneWithin(closed, options.drainTimeoutMs)) return
    options.log.warn({ openCalls: calls.size }, 'rpc calls cut at the drain deadline')
    abort(calls, refusal, () => true)
    if (await isDoneWithin(closed, FLUSH_MS)) return
    server.forceShutdown()
    await closed
  }
  let drained: Promise<void> | undefined
  return {
    port,
    setServing: health.setServing,
    [Symbol.asyncDispose]: () => (drained ??= drain()),
  }
}

const register = (server: Server, { service, handlers }: RpcService, env: CallEnv) =>
  server.addService(
    serviceDefinition(service),
    Object.fromEntries(
      service.methods.map((method) => [
        method.localName,
        handleCall(method, handlers.get(method.localName)!, env),
      ]),
    ),
  )

const bind = (server: Server, { host, port }: ServeRpcOptions): Promise<number> =>
  new Promise((resolve, reject) => {
    const address = host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
    server.bindAsync(address, ServerCredentials.createInsecure(), (error, bound) => {
      if (!error) return resolve(bound)
      const message = `gRPC cannot listen on ${address}: ${messageOf(error)}`
      reject(new BerthError('PORT_IN_USE', message, { facts: { host, port }, cause: error }))
    })
  })

const abort = (
  calls: ReadonlySet<OpenCall>,
  reason: BerthError,
  isMeant: (call: OpenCall) => boolean,
) => {
  for (const call of [...calls]) if (isMeant(call)) call.abort(reason)
}

const isDoneWithin = (done: Promise<void>, ms: number): Promise<boolean> =>
  new Promise((resolve) => {
    const timer = setTimeout(() => resolve(false), ms)
    void done.then(() => {
      clearTimeout(timer)
      resolve(true)
    })
  })
