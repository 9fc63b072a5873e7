export { gatewayConfigSchema, type GatewayConfig } from './config.ts'
export { startOrchestratord, type OrchestratordOptions } from './service.ts'
// For the simulator, which drives the gateway through its ports.
export type { AnswerHead, Caller } from './caller.ts'
export {
  dispatch,
  type DispatchDeps,
  type DispatchRequest,
  type DispatchSummary,
} from './dispatch.ts'
export type { Ingress, IngressRequest, IngressResponse } from './ingress.ts'
export { createSessionClient, type SessionClientOptions } from './session-client.ts'
export { openGrpcLink } from './grpc-link.ts'
export type { Link } from './session-link.ts'
export type {
  AcquireAnswer,
  AcquireRequest,
  ExcludedPool,
  Grant,
  JobFacts,
  QueueState,
  ReleaseReport,
  Session,
  SessionState,
} from './session.ts'
