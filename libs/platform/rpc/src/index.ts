export { type BidiStream, SEND_HIGH_WATER, SEND_LIMIT } from './bidi-stream.ts'
export { type CallContext } from './call-context.ts'
export { CORRELATION_KEY } from './correlation-id.ts'
export {
  createClient,
  type CallOptions,
  type Client,
  type ClientMethod,
  type ClientOptions,
} from './client.ts'
export { implement, type Handler, type Handlers, type RpcService } from './implement.ts'
export { type RpcLog } from './rpc-log.ts'
export { serveRpc, type RpcServer, type ServeRpcOptions } from './serve.ts'
export { fromStatus, toStatus, type FailedCall } from './status.ts'
