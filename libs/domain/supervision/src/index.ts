export type {
  CallSign,
  CrashReport,
  EngineAbilities,
  EngineAccess,
  EngineCall,
  EngineDriver,
  EngineExit,
  EngineMetrics,
  EngineName,
  EngineOptions,
  EngineSpec,
  GrantedGpu,
  LaunchGrant,
  LaunchPlan,
  ListedModel,
  LoadPhase,
  LogSign,
  ModelCalls,
  PoolMode,
  ProbeResponse,
  ProbeResult,
  ProbeSpec,
  SleepCalls,
} from './driver.ts'
export type { Effect } from './effect.ts'
export {
  forecastLoad,
  learnTimes,
  type LoadForecast,
  type PhaseSoFar,
  type PhaseTimes,
} from './load-forecast.ts'
export {
  isLoadOver,
  loadGoesOn,
  loadHasFailed,
  loadIsReady,
  type LoadProgress,
} from './load-progress.ts'
export { LOAD_PHASES, type LoadSign, type LoadStep } from './load-step.ts'
export type { Step } from './move.ts'
export { DEFAULT_POLICY, type RestartPolicy, type SupervisionPolicy } from './policy.ts'
export {
  instanceOf,
  loadPhaseOf,
  type DrainDeadline,
  type DrainGoal,
  type FailReason,
  type PoolState,
  type PoolStateKind,
} from './pool-state.ts'
export type { Reload, ReloadEnd } from './reload.ts'
export {
  decideRestart,
  NO_RESTARTS,
  type RestartDecision,
  type RestartHistory,
} from './restart-policy.ts'
export {
  parseServiceState,
  SERVICE_STATES,
  serviceStateOf,
  type ServiceState,
} from './service-state.ts'
export { step } from './step.ts'
export {
  newSupervised,
  TRANSITIONS_KEPT,
  type PoolTransition,
  type StepContext,
  type Supervised,
} from './supervised.ts'
export type { SupervisionEvent, TimerName } from './supervision-event.ts'
