export { startFleet, type Fleet, type FleetOptions, type HostOptions } from './fleet.ts'
export {
  embeddedPool,
  EMBEDDED_RUNTIME_DIR,
  freePort,
  simPool,
  TINY_MODEL,
  type PoolEntry,
} from './pool-entries.ts'
export { findLlamaServer, llamacppPool, type LlamacppPoolSettings } from './llama-server.ts'
export { startService, type ServiceProcess } from './service-process.ts'
export { simAdmin, type SimAdmin, type SimState } from './sim-admin.ts'
export { until } from './until.ts'
export { operatorOf, type OperationView, type Operator, type OperatedPool } from './operator.ts'
