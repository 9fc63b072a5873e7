export { coreConfigSchema, LIVE_SETTINGS, type CoreConfig } from './config.ts'
export {
  createOrchestratorCore,
  type OrchestratorCore,
  type OrchestratorCoreDeps,
} from './service.ts'
export type { SessionServer, SessionStream } from './session-server.ts'
export type { ReadHost } from './host-probes.ts'
export type { InstallKey } from './key-delivery.ts'
export type { KeyDelivery } from './effects.ts'
export type { Coordinator } from './coordinator.ts'
export type { CoreEvent } from './core-event.ts'
export type { Core } from './core-state.ts'
