export { CODES, type Code } from './code.ts'
export { CODE_OF_REASON, isReason, type Reason } from './reason.ts'
export { BerthError, messageOf, type BerthErrorOptions, type Facts } from './berth-error.ts'
export { every, sleep, type Cancel, type Clock } from './clock.ts'
export { randomInt, randomUuid, seededRng, type Rng } from './rng.ts'
export { assert, unreachable } from './assert.ts'
export {
  isCorrelationId,
  parseGatewayId,
  parseHostId,
  parseInstanceId,
  parseJobId,
  parseLeaseId,
  parseModelId,
  parseOperationId,
  parsePoolId,
  type CorrelationId,
  type GatewayId,
  type HostId,
  type InstanceId,
  type JobId,
  type LeaseId,
  type ModelId,
  type ModelRef,
  type OperationId,
  type PoolId,
} from './id.ts'
