import { DEFAULT_POLICY, type SupervisionPolicy } from '@berth/supervision'
import type { Probing } from '../engine/probing.ts'
import type { PoolDocument } from './pool-schema.ts'
import type { PoolSpec } from './pool-spec.ts'
import { readModelSource } from './model-source.ts'

/** Requests at once where neither the file nor the engine says. */
const DEFAULT_SLOTS = 4

/** A checked entry of the pools file with every default applied. */
export const toPoolSpec = (pool: PoolDocument, root: string): PoolSpec => {
  const source =
    pool.model === undefined ? undefined : readModelSource(pool.model, pool.engine, root)
  const modelId = pool.model_id ?? source?.modelId
  const mode = pool.mode ?? (pool.engine === 'openai' ? 'external' : 'managed')
  const { lifecycle } = pool
  const isStrict = pool.determinism === 'strict'
  return {
    poolId: pool.id,
    engine: {
      engine: pool.engine,
      mode,
      slots: pool.slots ?? (isStrict ? 1 : DEFAULT_SLOTS),
      contextLength: contextOf(pool),
      options: pool.engine_options,
      shutdownGraceMs: lifecycle.shutdown_grace_s * 1_000,
      ...(isStrict ? { isStrict } : {}),
      ...(modelId === undefined ? {} : { modelId }),
      ...(pool.model === undefined ? {} : { modelRef: pool.model }),
      ...(pool.url === undefined ? {} : { url: pool.url.replace(/\/+$/, '') }),
      ...(lifecycle.binary_path === undefined ? {} : { binaryPath: lifecycle.binary_path }),
    },
    devices: pool.devices.map(String),
    ...(pool.vram_budget_bytes === undefined ? {} : { vramBudgetBytes: pool.vram_budget_bytes }),
    modelRef: pool.model ?? '',
    modelRoot: root,
    hasOwnModelId: pool.model_id !== undefined,
    hasOwnSlots: pool.slots !== undefined || isStrict,
    port: lifecycle.port,
    isStrict,
    samplerProfileVersion: pool.sampler_profile_version,
    loadsOnDemand: pool.load === 'on_demand',
    outlivesAgent: mode === 'managed' && !lifecycle.stop_on_exit,
    policy: toPolicy(pool, mode === 'managed'),
    probing: toProbing(pool),
    ...(pool.runtime === 'process'
      ? {}
      : { container: { runtime: pool.runtime, image: pool.image ?? '' } }),
    ...(source?.path === undefined ? {} : { modelPath: source.path }),
    ...(pool.airgapped ? { isAirgapped: true } : {}),
    ...(pool.digest === undefined ? {} : { modelDigest: pool.digest }),
    ...(pool.api_key_env === undefined ? {} : { apiKeyEnv: pool.api_key_env }),
    ...(pool.unit === undefined ? {} : { unit: pool.unit }),
  }
}

/** vLLM's own word for it is taken too: what is published is what the engine is told. */
const contextOf = ({ engine, context_length: written, engine_options }: PoolDocument): number =>
  engine === 'vllm' && Number.isInteger(engine_options['max_model_len'])
    ? Number(engine_options['max_model_len'])
    : written

const toPolicy = ({ lifecycle, health }: PoolDocument, hasProcess: boolean): SupervisionPolicy => ({
  ...DEFAULT_POLICY,
  hasProcess,
  startTimeoutMs: lifecycle.start_timeout_s * 1_000,
  loadTimeoutMs: lifecycle.model_load_timeout_s * 1_000,
  loadMaxRetries: lifecycle.model_load_max_retries,
  probeIntervalMs: lifecycle.health_check_interval_s * 1_000,
  idleProbeIntervalMs: idleIntervalOf(lifecycle) * 1_000,
  maxConsecutiveFailures: lifecycle.max_consecutive_failures,
  stallTimeoutMs: lifecycle.stall_timeout_s * 1_000,
  isFailOpen: health.mode === 'fail_open',
  stopGraceMs: lifecycle.shutdown_grace_s * 1_000,
  restart: {
    ...DEFAULT_POLICY.restart,
    intensity: lifecycle.max_restarts_per_minute,
    backoff: {
      initialMs: lifecycle.backoff.initial_ms,
      factor: lifecycle.backoff.factor,
      maxMs: lifecycle.backoff.max_ms,
      jitter: lifecycle.backoff.jitter,
    },
    stableMs: lifecycle.backoff.reset_after_s * 1_000,
    breakerOpenMs: lifecycle.breaker.open_s * 1_000,
    breakerMaxOpenMs: lifecycle.breaker.max_open_s * 1_000,
    breakerStableMs: lifecycle.breaker.stable_s * 1_000,
  },
})

/** An engine that nobody asks anything of is asked seldom whether it is well. */
const idleIntervalOf = ({
  health_check_interval_s: often,
  idle_health_check_interval_s: seldom,
}: PoolDocument['lifecycle']): number =>
  seldom ?? Math.max(often, Math.min(IDLE_INTERVAL_S, IDLE_TIMES * often))

/** 003-FR-039: every 5 s, 60 s when idle. */
const IDLE_INTERVAL_S = 60
const IDLE_TIMES = 12

const toProbing = ({ health, lifecycle }: PoolDocument): Probing => {
  const { probe, grpc_service: service, grpc_port: port } = health
  return {
    timeoutMs: lifecycle.health_check_timeout_s * 1_000,
    ...(probe === 'grpc' ? { grpc: { service, ...(port === undefined ? {} : { port }) } } : {}),
  }
}
