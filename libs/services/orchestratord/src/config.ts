import { logConfigShape } from '@berth/runtime'
import { z } from 'zod'

const address = z.string().regex(/^(\[[0-9a-f:]+\]|[A-Za-z0-9.-]+):\d{1,5}$/i, 'expected host:port')

/** Settings of the gateway. Durations in milliseconds, sizes in bytes; port 0: the system's choice. */
export const gatewayConfigSchema = z.object({
  ...logConfigShape,
  httpHost: z.string().min(1).default('127.0.0.1').describe('Where HTTP listens.'),
  httpPort: z
    .number()
    .int()
    .min(0)
    .max(65_535)
    .default(8080)
    .describe('Port of HTTP; 0 lets the system choose.'),
  coreAddresses: z
    .array(address)
    .min(1)
    .default(['127.0.0.1:7070'])
    .describe('`host:port` of every core, the leader and those that stand by.'),
  maxBodyBytes: z
    .number()
    .int()
    .min(1)
    .max(1_073_741_824)
    .default(33_554_432)
    .describe('The longest body of a request.'),
  maxInflightBodyBytes: z
    .number()
    .int()
    .min(1)
    .default(268_435_456)
    .describe('Bodies of all requests together.'),
  maxWaitMs: z
    .number()
    .int()
    .min(0)
    .max(3_600_000)
    .default(60_000)
    .describe('How long an interactive request waits for a slot when it does not say.'),
  coreWaitMs: z
    .number()
    .int()
    .min(0)
    .max(60_000)
    .default(10_000)
    .describe('How long a request waits for a session with core.'),
  slowReaderMs: z
    .number()
    .int()
    .min(1_000)
    .max(600_000)
    .default(60_000)
    .describe('How long a caller may leave its connection unread before it is cut off.'),
  drainTimeoutMs: z
    .number()
    .int()
    .min(0)
    .max(300_000)
    .default(20_000)
    .describe('How long requests in flight may go on after a stop signal.'),
  auth: z
    .enum(['keys', 'none'])
    .optional()
    .describe(
      'Default: `keys` with a key file, else `none`. Off loopback `none` needs `insecure`.',
    ),
  keysFile: z
    .string()
    .min(1)
    .optional()
    .describe('The static key file; changes take effect at once.'),
  insecure: z
    .boolean()
    .default(false)
    .describe('Serve without authentication on an address that others can reach.'),
})

/** The settings of the gateway: flags, environment and file, merged and checked. */
export type GatewayConfig = Readonly<z.infer<typeof gatewayConfigSchema>>
