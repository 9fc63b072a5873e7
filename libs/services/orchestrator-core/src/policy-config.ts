import { DEFAULT_ADMISSION_POLICY } from '@berth/admission'
import { DEFAULT_PLACEMENT_POLICY } from '@berth/placement'
import { settingGroup } from '@berth/runtime'
import { z } from 'zod'
import type { CorePolicy } from './core-state.ts'

const ms = (fallback: number) => z.number().int().positive().default(fallback)
const weight = z.number().positive().max(1_000_000)

const { freshness } = DEFAULT_PLACEMENT_POLICY

/** The settings that a running core takes over. */
export const policyConfigShape = {
  queue: settingGroup({
    capacity: z
      .number()
      .int()
      .positive()
      .max(100_000)
      .default(DEFAULT_ADMISSION_POLICY.capacity)
      .describe('Jobs that may wait for each model and class.'),
    fullPolicy: z
      .enum(['reject', 'drop-lru'])
      .default(DEFAULT_ADMISSION_POLICY.fullPolicy)
      .describe('A full queue refuses the newcomer, or drops the oldest batch job for it.'),
    promoteAfterMs: ms(DEFAULT_ADMISSION_POLICY.promoteAfterMs).describe(
      'After this long a batch job stands in the interactive line.',
    ),
  }),
  priorityWeights: z
    .strictObject({
      interactive: weight.describe('Share of served tokens of interactive jobs.'),
      batch: weight.describe('Share of served tokens of batch jobs.'),
    })
    .optional(),
  tenantWeights: z
    .record(z.string(), weight)
    .default({})
    .describe('Shares of served tokens between tenants that wait. One that is not named has 1.'),
  placement: settingGroup({
    performanceAware: z
      .boolean()
      .default(DEFAULT_PLACEMENT_POLICY.isPerformanceAware)
      .describe('false: pools are told apart by the tie-breaks alone.'),
  }),
  snapshot: settingGroup({
    staleMs: ms(freshness.staleMs).describe(
      'A host that was not heard of for this long gets nothing new.',
    ),
    offlineMs: ms(freshness.offlineMs).describe('After this long it is no part of the fleet.'),
  }),
  maxWaitMs: ms(60_000).describe('How long an interactive job waits when it does not say.'),
  batchMaxWaitMs: ms(3_600_000).describe('How long a batch job waits when it does not say.'),
}

const policyConfigSchema = z.object(policyConfigShape)
type PolicyConfig = z.infer<typeof policyConfigSchema>

/** The coordinator's settings. What is not in the configuration is the design's. */
export const toPolicy = (config: PolicyConfig): CorePolicy => ({
  placement: {
    ...DEFAULT_PLACEMENT_POLICY,
    freshness: config.snapshot,
    isPerformanceAware: config.placement.performanceAware,
  },
  admission: {
    ...config.queue,
    tenantWeights: config.tenantWeights,
    ...(config.priorityWeights ? { priorityWeights: config.priorityWeights } : {}),
  },
  leaseTtlMs: 15_000,
  tokenTtlMs: 30_000,
  maxWaitMs: { interactive: config.maxWaitMs, batch: config.batchMaxWaitMs },
  exclusionMs: 2_000,
  settleMs: 3_000,
  maxOutstanding: 20_000,
})
