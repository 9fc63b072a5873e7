import { natsConfigShape } from '@berth/bus'
import { logConfigShape, settingGroup } from '@berth/runtime'
import { z } from 'zod'
import { policyConfigShape } from './policy-config.ts'

const port = (fallback: number) => z.number().int().min(0).max(65_535).default(fallback)

/** Every setting of orchestrator-core. Port 0 lets the system choose. */
export const coreConfigSchema = z
  .object({
    ...logConfigShape,
    grpcHost: z.string().min(1).default('127.0.0.1').describe('Where gRPC listens.'),
    grpcPort: port(7070).describe('Port of gRPC; 0 lets the system choose.'),
    httpHost: z.string().min(1).default('127.0.0.1').describe('Where health and metrics listen.'),
    httpPort: port(7071).describe('Port of health and metrics; 0 lets the system choose.'),
    ...natsConfigShape,
    advertiseAddress: z
      .string()
      .optional()
      .describe('`host:port` under which gateways reach this core. Default: where it listens.'),
    leaseMasterKey: z
      .string()
      .transform((text) => Buffer.from(text, /^[0-9a-f]{64}$/i.test(text) ? 'hex' : 'base64'))
      .refine((bytes) => bytes.length === 32, 'must be 32 bytes in base64 or hex')
      .optional()
      .describe('Secret. 32 bytes in base64 or hex. Default: drawn anew for each leadership.'),
    keysFile: z
      .string()
      .min(1)
      .optional()
      .describe(
        'The static key file of the gateways: tenants and budgets. Followed as it changes.',
      ),
    ...policyConfigShape,
    catalog: settingGroup({
      allowedSources: z
        .array(z.string().min(1).max(1_024))
        .max(256)
        .default([])
        .describe(
          'What references in the catalog may begin with, such as `hf:Qwen/`. Empty: anything.',
        ),
    }),
    drainTimeoutMs: z
      .number()
      .int()
      .positive()
      .default(3_000)
      .describe('How long calls in flight may take to end after a stop signal.'),
    insecure: z
      .boolean()
      .default(false)
      .describe('Serve gRPC without authentication on an address that others can reach.'),
  })
  .refine(({ snapshot }) => snapshot.offlineMs > snapshot.staleMs, {
    path: ['snapshot', 'offlineMs'],
    message: 'must be more than stale_ms',
  })

/** The settings of core: flags, environment and file, merged and checked. */
export type CoreConfig = Readonly<z.infer<typeof coreConfigSchema>>

/** Names, in a file, of the settings and groups that a running core takes over. */
export const LIVE_SETTINGS: readonly string[] = [
  'log_level',
  ...Object.keys(policyConfigShape).map((key) =>
    key.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`),
  ),
]
