import { BerthError, sleep, type Clock, type Rng } from '@berth/kernel'
import { listenError, systemClock, systemRng } from '@berth/runtime'
import { Server, ServerCredentials } from '@grpc/grpc-js'
import type { CallEnv, OpenCall } from './call-context.ts'
import { quietGrpc, SERVER_OPTIONS } from './channel-options.ts'
import { handleCall } from './handle-call.ts'
import { createHealth } from './health.ts'
import type { RpcService } from './implement.ts'
import { createReflection } from './reflection.ts'
import type { RpcLog } from './rpc-log.ts'
import { serviceDefinition } from './service-definition.ts'

/** Time for the last statuses to leave before connections are cut. */
const FLUSH_MS = 250

/** Where to listen, and what to serve. */
export interface ServeRpcOptions {
  readonly host: string
  /** 0: the system chooses. */
  readonly port: number
  readonly services: readonly RpcService[]
  readonly log: RpcLog
  /** How long calls in progress may take to end once the server is disposed of. */
  readonly drainTimeoutMs: number
  /** The setting that moves the port, for the error when it is taken. Default: `grpc_port`. */
  readonly setting?: string
  /** Default: the system's. */
  readonly clock?: Clock
  /** For the correlation ids of callers that sent none. Default: the system's. */
  readonly rng?: Rng
}

/** A running server. Disposing drains it. */
export interface RpcServer extends AsyncDisposable {
  readonly port: number
  /** What the health service answers for every service. Serving at first. */
  setServing(isServing: boolean): void
}

/**
 * Serves the services with health and reflection on a plain-text HTTP/2 port. Throws
 * `PORT_IN_USE`, naming the holder, or `CONFIG_INVALID` when it cannot be bound.
 *
 * Disposing drains: health turns NOT_SERVING, nothing new is accepted, streams end with
 * `RPC_UNAVAILABLE` and their signals abort, unary calls may end until `drainTimeoutMs`, then they
 * are aborted too and connections are cut.
 */
export const serveRpc = async (options: ServeRpcOptions): Promise<RpcServer> => {
  quietGrpc()
  const clock = options.clock ?? systemClock()
  const calls = new Set<OpenCall>()
  let refusal: BerthError | undefined
  const env: CallEnv = {
    log: options.log,
    clock,
    rng: options.rng ?? systemRng(),
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
    // Watchers hear of it before their streams end.
    await sleep(clock, 0)
    refusal = new BerthError('RPC_UNAVAILABLE', 'This server is shutting down.')
    abort(calls, refusal, (call) => call.isStreaming)
    const closed = new Promise<void>((resolve) => server.tryShutdown(() => resolve()))
    if (await isDoneWithin(closed, clock, options.drainTimeoutMs)) return
    options.log.warn({ openCalls: calls.size }, 'rpc calls cut at the drain deadline')
    abort(calls, refusal, () => true)
    if (await isDoneWithin(closed, clock, FLUSH_MS)) return
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

const bind = (server: Server, options: ServeRpcOptions): Promise<number> =>
  new Promise((resolve, reject) => {
    const { host, port, setting = 'grpc_port' } = options
    const address = host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
    server.bindAsync(address, ServerCredentials.createInsecure(), (error, bound) => {
      if (error) reject(listenError(error, { host, port, what: 'gRPC server', setting }))
      else resolve(bound)
    })
  })

const abort = (
  calls: ReadonlySet<OpenCall>,
  reason: BerthError,
  isMeant: (call: OpenCall) => boolean,
) => {
  for (const call of [...calls]) if (isMeant(call)) call.abort(reason)
}

const isDoneWithin = (done: Promise<void>, clock: Clock, ms: number): Promise<boolean> =>
  new Promise((resolve) => {
    const cancel = clock.after(ms, () => resolve(false))
    void done.then(() => {
      cancel()
      resolve(true)
    })
  })
