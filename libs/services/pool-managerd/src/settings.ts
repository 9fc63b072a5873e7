import { natsConfigShape } from '@berth/bus'
import { logConfigShape } from '@berth/runtime'
import { z } from 'zod'

const port = (byDefault: number) => z.number().int().min(0).max(65_535).default(byDefault)

/** Settings of the agent, for `loadConfig`. Port 0 lets the system choose. */
export const settingsSchema = z.object({
  poolsFile: z.string().min(1),
  stateDir: z.string().min(1),
  ...natsConfigShape,
  /** Overrides `host` of the pools file. */
  hostId: z
    .string()
    .regex(/^[a-z0-9-]{1,63}$/, 'expected 1 to 63 of a-z, 0-9 and "-"')
    .optional(),
  grpcHost: z.string().default('127.0.0.1'),
  grpcPort: port(7080),
  ingressHost: z.string().default('127.0.0.1'),
  ingressPort: port(7081),
  httpHost: z.string().default('127.0.0.1'),
  httpPort: port(7082),
  /** Where core reaches this agent, when that is not `grpcHost:grpcPort`. */
  advertiseGrpc: z.string().optional(),
  /** Where gateways reach the ingress, when that is not `ingressHost:ingressPort`. */
  advertiseIngress: z.string().optional(),
  /** Folder of `sim-engine.js` and `embedded-engine.js`. Default: the folder of the agent. */
  enginesDir: z.string().optional(),
  /** Folder whose `node_modules` holds the embedded engine's native package. */
  embeddedRuntimeDir: z.string().default(''),
  maxBodyBytes: z.number().int().positive().default(33_554_432),
  /** An engine that says nothing for this long after a request is given up. */
  firstByteTimeoutMs: z.number().int().positive().default(300_000),
  /** On shutdown: how long requests in flight may take to end. */
  drainTimeoutMs: z.number().int().min(0).default(10_000),
  /** True: every engine ends with the agent; false: none does. Absent: as its pool says. */
  stopEnginesOnExit: z.boolean().optional(),
  /** Take commands without authentication on an address that others can reach. */
  insecure: z.boolean().default(false),
  ...logConfigShape,
})

/** The settings of the agent: flags, environment and file, merged and checked. */
export type Settings = Readonly<z.infer<typeof settingsSchema>>
