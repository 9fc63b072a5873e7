import { DEFAULT_ADMISSION_POLICY } from '@berth/admission'
import { natsConfigShape } from '@berth/bus'
import { DEFAULT_PLACEMENT_POLICY } from '@berth/placement'
import { logConfigShape } from '@berth/runtime'
import { z } from 'zod'
import type { CorePolicy } from './core-state.ts'

const ms = (fallback: number) => z.number().int().positive().default(fallback)
const port = (fallback: number) => z.number().int().min(0).max(65_535).default(fallback)

/** Every setting of orchestrator-core. Port 0 lets the system choose. */
export const coreConfigSchema = z.object({
  ...logConfigShape,
  grpcHost: z.string().min(1).default('127.0.0.1'),
  grpcPort: port(7070),
  httpHost: z.string().min(1).default('127.0.0.1'),
  httpPort: port(7071),
  ...natsConfigShape,
  /** `host:port` under which gateways reach this core. Default: where it listens. */
  advertiseAddress: z.string().optional(),
  /** 32 bytes in base64 or hex. Default: drawn anew for each leadership. */
  leaseMasterKey: z
    .string()
    .transform((text) => Buffer.from(text, /^[0-9a-f]{64}$/i.test(text) ? 'hex' : 'base64'))
    .refine((bytes) => bytes.length === 32, 'must be 32 bytes in base64 or hex')
    .optional(),
  queueCapacity: z
    .number()
    .int()
    .positive()
    .max(100_000)
    .default(DEFAULT_ADMISSION_POLICY.capacity),
  queueFullPolicy: z.enum(['reject', 'drop-lru']).default(DEFAULT_ADMISSION_POLICY.fullPolicy),
  promoteAfterMs: ms(DEFAULT_ADMISSION_POLICY.promoteAfterMs),
  maxWaitMs: ms(60_000),
  batchMaxWaitMs: ms(3_600_000),
  snapshotStaleMs: ms(DEFAULT_PLACEMENT_POLICY.freshness.staleMs),
  snapshotOfflineMs: ms(DEFAULT_PLACEMENT_POLICY.freshness.offlineMs),
  performanceAware: z.boolean().default(true),
  drainTimeoutMs: ms(3_000),
  /** Serve gRPC without authentication on an address that others can reach. */
  insecure: z.boolean().default(false),
})

/** The settings of core: flags, environment and file, merged and checked. */
export type CoreConfig = Readonly<z.infer<typeof coreConfigSchema>>

/** The coordinator's settings. What is not in the configuration is the design's. */
export const toPolicy = (config: CoreConfig): CorePolicy => ({
  placement: {
    ...DEFAULT_PLACEMENT_POLICY,
    freshness: { staleMs: config.snapshotStaleMs, offlineMs: config.snapshotOfflineMs },
    isPerformanceAware: config.performanceAware,
  },
  admission: {
    capacity: config.queueCapacity,
    fullPolicy: config.queueFullPolicy,
    promoteAfterMs: config.promoteAfterMs,
  },
  leaseTtlMs: 15_000,
  tokenTtlMs: 30_000,
  maxWaitMs: { interactive: config.maxWaitMs, batch: config.batchMaxWaitMs },
  exclusionMs: 2_000,
  settleMs: 3_000,
  maxOutstanding: 20_000,
})
