import { randomInt, type Rng } from '@berth/kernel'
import type { PoolSpec } from '@berth/pool-managerd'
import { DEFAULT_POLICY, type SupervisionPolicy } from '@berth/supervision'

/** Models of a simulated fleet and the bytes of their weights. */
export const SIM_MODELS: Readonly<Record<string, number>> = {
  'sim-1b': 2e9,
  'sim-8b': 16e9,
  'sim-70b': 40e9,
}

const SLOT_BYTES = 500e6

/** What an engine takes of its device: weights and the cache of its slots. */
export const engineBytes = (modelId: string, slots: number): number =>
  (SIM_MODELS[modelId] ?? 0) + slots * SLOT_BYTES

/** Shorter than in production, so that minutes of a run see every limit at work. */
const POLICY: SupervisionPolicy = {
  ...DEFAULT_POLICY,
  startTimeoutMs: 5_000,
  loadTimeoutMs: 8_000,
  loadMaxRetries: 100,
  probeIntervalMs: 2_000,
  idleProbeIntervalMs: 2_000,
  stallTimeoutMs: 5_000,
  stopGraceMs: 2_000,
  restart: {
    ...DEFAULT_POLICY.restart,
    backoff: { initialMs: 500, factor: 2, maxMs: 5_000, jitter: 0.1 },
    stableMs: 20_000,
    breakerOpenMs: 10_000,
    breakerMaxOpenMs: 20_000,
    breakerStableMs: 5_000,
  },
}

/** The pools of a host, drawn; their engines fill its memory and not one more fits. */
export const drawPools = (rng: Rng, hostId: string, first: string): readonly PoolSpec[] => {
  const models = Object.keys(SIM_MODELS)
  const count = 1 + randomInt(rng, 3)
  return Array.from({ length: count }, (_, index) =>
    poolSpec(`${hostId}-p${index}`, {
      modelId: index === 0 ? first : models[randomInt(rng, models.length)]!,
      slots: 1 + randomInt(rng, 4),
      outlivesAgent: rng.float() < 0.7,
    }),
  )
}

export const memoryOf = (specs: readonly PoolSpec[]): number =>
  specs.reduce((sum, { engine }) => sum + engineBytes(engine.modelId ?? '', engine.slots), 0)

interface PoolDraw {
  readonly modelId: string
  readonly slots: number
  readonly outlivesAgent: boolean
}

const poolSpec = (poolId: string, { modelId, slots, outlivesAgent }: PoolDraw): PoolSpec => ({
  poolId,
  engine: {
    ...{ engine: 'sim', mode: 'managed', modelId, slots, contextLength: 4_096 },
    options: { dialect: 'vllm' },
    shutdownGraceMs: POLICY.stopGraceMs,
  },
  devices: ['0'],
  modelRef: `sim:${modelId}`,
  hasOwnSlots: true,
  port: 0,
  isStrict: false,
  outlivesAgent,
  samplerProfileVersion: '',
  policy: POLICY,
})
