import { DEFAULT_ADMISSION_POLICY, DEFAULT_SESSION_POLICY, toPrice } from '@berth/admission'
import { DEFAULT_PLACEMENT_POLICY } from '@berth/placement'
import { settingGroup } from '@berth/runtime'
import { z } from 'zod'
import type { CorePolicy } from './core-state.ts'
import { DEFAULT_BUDGET_POLICY } from './ledger.ts'

const ms = (fallback: number) => z.number().int().positive().default(fallback)
/** Served tokens are divided by it, and stay numbers that can be told apart. */
const weight = z.number().min(0.001).max(1_000_000)

const scoring = z.number().min(0).max(1_000)
const limit = z.number().int().positive().optional()
const pricePerMillion = z.number().min(0).max(1_000_000)

const { freshness, weights } = DEFAULT_PLACEMENT_POLICY

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
      interactive: weight.describe(
        'Share of served tokens of interactive jobs. Without weights they are served first.',
      ),
      batch: weight.describe('Share of served tokens of batch jobs. Only with the other.'),
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
    prefixAffinity: z
      .boolean()
      .default(DEFAULT_PLACEMENT_POLICY.hasPrefixAffinity)
      .describe('false: what a pool has cached counts in no score.'),
    reuseWaitMs: z
      .number()
      .int()
      .min(0)
      .default(DEFAULT_PLACEMENT_POLICY.reuseWaitMs)
      .describe("How much longer a job that asks for reuse may wait for its session's pool."),
    fasterWaitMs: z
      .number()
      .int()
      .min(0)
      .default(DEFAULT_PLACEMENT_POLICY.fasterWaitMs)
      .describe('How long a job may decline slow free slots while waiting for a fast one pays.'),
    weights: settingGroup({
      queue: scoring.default(weights.queue).describe('Of waiting for prompts granted before.'),
      firstToken: scoring.default(weights.firstToken).describe('Of reading the uncached prompt.'),
      decode: scoring.default(weights.decode).describe('Of producing the answer.'),
    }),
  }),
  snapshot: settingGroup({
    staleMs: ms(freshness.staleMs).describe(
      'A host that was not heard of for this long gets nothing new.',
    ),
    offlineMs: ms(freshness.offlineMs).describe('After this long it is no part of the fleet.'),
  }),
  maxWaitMs: ms(60_000).describe('How long an interactive job waits when it does not say.'),
  batchMaxWaitMs: ms(3_600_000).describe('How long a batch job waits when it does not say.'),
  session: settingGroup({
    ttlMs: ms(DEFAULT_SESSION_POLICY.ttlMs).describe('Without use for this long it is over.'),
    turnsMax: z
      .number()
      .int()
      .positive()
      .default(DEFAULT_SESSION_POLICY.turnsMax)
      .describe('Finished turns a session may have.'),
    maxSessions: z
      .number()
      .int()
      .positive()
      .max(1_000_000)
      .default(DEFAULT_SESSION_POLICY.maxSessions)
      .describe('Beyond it the tenant with the most sessions loses its oldest.'),
    budget: settingGroup({
      tokens: limit.describe('Tokens of a session whose first turn brings no budget.'),
      timeMs: limit.describe('Wall time of such a session.'),
      costMicros: limit.describe('Cost of such a session, in millionths of the unit of prices.'),
    }),
  }),
  prices: z
    .record(
      z.string(),
      z.strictObject({ input_per_million: pricePerMillion, output_per_million: pricePerMillion }),
    )
    .default({})
    .describe('Of a million tokens, by model: `{input_per_million, output_per_million}`.'),
  reserveTokensMax: z
    .number()
    .int()
    .positive()
    .default(DEFAULT_BUDGET_POLICY.reserveTokensMax)
    .describe('Output tokens set aside in budgets for a job that does not limit them.'),
}

type PolicyConfig = z.infer<z.ZodObject<typeof policyConfigShape>>

/** The coordinator's settings. What is not in the configuration is the design's. */
export const toPolicy = (config: PolicyConfig): CorePolicy => ({
  placement: {
    ...DEFAULT_PLACEMENT_POLICY,
    freshness: config.snapshot,
    isPerformanceAware: config.placement.performanceAware,
    hasPrefixAffinity: config.placement.prefixAffinity,
    reuseWaitMs: config.placement.reuseWaitMs,
    fasterWaitMs: config.placement.fasterWaitMs,
    weights: config.placement.weights,
  },
  admission: {
    ...config.queue,
    tenantWeights: config.tenantWeights,
    ...(config.priorityWeights ? { priorityWeights: config.priorityWeights } : {}),
  },
  session: { ...config.session, budget: dropAbsent(config.session.budget) },
  budgets: {
    reserveTokensMax: config.reserveTokensMax,
    prices: new Map(
      Object.entries(config.prices).map(([model, price]) => [
        model,
        toPrice(price.input_per_million, price.output_per_million),
      ]),
    ),
  },
  leaseTtlMs: 15_000,
  tokenTtlMs: 30_000,
  maxWaitMs: { interactive: config.maxWaitMs, batch: config.batchMaxWaitMs },
  exclusionMs: 2_000,
  settleMs: 3_000,
  maxOutstanding: 20_000,
})

type Limits = PolicyConfig['session']['budget']

/** An absent limit is none: it is left out, not undefined. */
const dropAbsent = ({ tokens, timeMs, costMicros }: Limits) => ({
  ...(tokens === undefined ? {} : { tokens }),
  ...(timeMs === undefined ? {} : { timeMs }),
  ...(costMicros === undefined ? {} : { costMicros }),
})
