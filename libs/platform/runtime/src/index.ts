export { createScope, type Scope } from './scope.ts'
export { EXIT_CONFIG, run, type RunOptions } from './run.ts'
export { readProcessEnv, type ProcessEnv } from './process-env.ts'
export { loadConfig, type LoadConfigOptions } from './load-config.ts'
export { settingGroup } from './setting.ts'
export { describeSettings, settingsJsonSchema, type SettingFacts } from './describe-settings.ts'
export { watchConfig, type ConfigChange, type WatchConfigOptions } from './watch-config.ts'
export { listProblems } from './list-problems.ts'
export { readYamlFile } from './read-yaml-file.ts'
export {
  createLogger,
  createSilentLogger,
  logConfigShape,
  type Logger,
  type LogOptions,
} from './log.ts'
export { systemClock } from './system-clock.ts'
export { systemRng } from './system-rng.ts'
export {
  createMetrics,
  type CounterSeries,
  type GaugeSeries,
  type HistogramSeries,
  type Metrics,
} from './metrics.ts'
export {
  LABEL_BUDGETS,
  SERIES,
  type LabelName,
  type LabelsOf,
  type SeriesName,
  type SeriesOwner,
  type SeriesSpec,
} from './series-registry.ts'
export { budgetOf } from './bounded-labels.ts'
export { serveStatus, type Readiness, type StatusOptions } from './http-status-server.ts'
export {
  killGroup,
  spawnChild,
  type Child,
  type ChildExit,
  type Spawn,
  type SpawnRequest,
} from './spawn.ts'
export { adoptProcess, type Adopt, type KnownProcess } from './adopt.ts'
export { groupHasLiveProcess, isRunning, readBootId, readStartTime } from './process-table.ts'
export { onProcessExit } from './on-process-exit.ts'
export { onHangup } from './on-hangup.ts'
export { fileStamp } from './file-stamp.ts'
export { isLoopback, refuseOpenDoor } from './open-door.ts'
export { listen, listenError, type ListenOptions } from './listen.ts'
export { findPortHolder, type PortHolder } from './port-holder.ts'
