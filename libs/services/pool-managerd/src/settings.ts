import { natsConfigShape } from '@berth/bus'
import { logConfigShape } from '@berth/runtime'
import { z } from 'zod'

const port = (byDefault: number) => z.number().int().min(0).max(65_535).default(byDefault)

/** Settings of the agent, for `loadConfig`. Port 0 lets the system choose. */
export const settingsSchema = z.object({
  poolsFile: z.string().min(1).describe('The pools of this host: pools.md.'),
  stateDir: z
    .string()
    .min(1)
    .describe('Where the agent keeps its journal and the logs of engines.'),
  ...natsConfigShape,
  hostId: z
    .string()
    .regex(/^[a-z0-9-]{1,63}$/, 'expected 1 to 63 of a-z, 0-9 and "-"')
    .optional()
    .describe('Overrides `host` of the pools file.'),
  grpcHost: z.string().default('127.0.0.1').describe('Where gRPC listens.'),
  grpcPort: port(7080).describe('Port of gRPC; 0 lets the system choose.'),
  ingressHost: z.string().default('127.0.0.1').describe('Where the ingress listens.'),
  ingressPort: port(7081).describe('Port of the ingress; 0 lets the system choose.'),
  httpHost: z.string().default('127.0.0.1').describe('Where health and metrics listen.'),
  httpPort: port(7082).describe('Port of health and metrics; 0 lets the system choose.'),
  advertiseGrpc: z
    .string()
    .optional()
    .describe('Where core reaches this agent, when that is not `grpcHost:grpcPort`.'),
  advertiseIngress: z
    .string()
    .optional()
    .describe('Where gateways reach the ingress, when that is not `ingressHost:ingressPort`.'),
  enginesDir: z
    .string()
    .optional()
    .describe(
      'Folder of `sim-engine.js` and `embedded-engine.js`. Default: the folder of the agent.',
    ),
  embeddedRuntimeDir: z
    .string()
    .default('')
    .describe("Folder whose `node_modules` holds the embedded engine's native package."),
  engineUser: z
    .string()
    .min(1)
    .max(64)
    .optional()
    .describe(
      'Who engines run as when the agent is root: a name, a uid or `uid:gid`. Default: 10002.',
    ),
  model: z
    .string()
    .min(1)
    .max(4_096)
    .optional()
    .describe('The model of the one vllm pool of this host, in the place of that of its entry.'),
  modelsDir: z
    .string()
    .min(1)
    .optional()
    .describe('Where models that were fetched are kept. Default: `models` in `stateDir`.'),
  offline: z
    .boolean()
    .default(false)
    .describe('Airgapped: no model is fetched, and engines are told so. What is here serves.'),
  hfTokenFile: z
    .string()
    .min(1)
    .optional()
    .describe('File with the token of the Huggingface Hub, in the place of `HF_TOKEN`.'),
  registryAuthFile: z
    .string()
    .min(1)
    .optional()
    .describe(
      'File with the credentials of registries for `oci:` and `ollama:`, as `docker login` writes it.',
    ),
  egressAllow: z
    .array(z.string().min(1).max(255))
    .max(64)
    .default([])
    .describe(
      'Hosts that models may come from beside the Hub and the registry of Ollama: ' +
        '`HOST`, `HOST:PORT`, `*.HOST` or `http://HOST`.',
    ),
  egressPrivate: z
    .array(z.string().min(1).max(255))
    .max(64)
    .default([])
    .describe('The same for hosts that may have private or loopback addresses.'),
  maxDownloads: z
    .number()
    .int()
    .min(1)
    .max(32)
    .default(3)
    .describe('Files of models that are fetched at once.'),
  diskHeadroomBytes: z
    .number()
    .int()
    .min(0)
    .default(1_073_741_824)
    .describe('Bytes of the disk of models that stay free when one is fetched.'),
  maxBodyBytes: z
    .number()
    .int()
    .positive()
    .default(33_554_432)
    .describe('The longest body of a request.'),
  firstByteTimeoutMs: z
    .number()
    .int()
    .positive()
    .default(300_000)
    .describe('An engine that says nothing for this long after a request is given up.'),
  drainTimeoutMs: z
    .number()
    .int()
    .min(0)
    .default(10_000)
    .describe('On shutdown: how long requests in flight may take to end.'),
  preloadConcurrency: z
    .number()
    .int()
    .min(1)
    .max(64)
    .default(2)
    .describe('Pools that are brought up at once when the agent starts, in the order of the file.'),
  changeDrainTimeoutMs: z
    .number()
    .int()
    .min(0)
    .max(86_400_000)
    .default(300_000)
    .describe(
      'When the pools file changes or removes a pool: how long its requests may take to end.',
    ),
  vramHeadroomRatio: z
    .number()
    .min(0)
    .max(0.9)
    .default(0.2)
    .describe(
      'Share of each GPU that stays free of engines which allocate what a model needs, 0 to 0.9.',
    ),
  vramReleaseTimeoutMs: z
    .number()
    .int()
    .min(0)
    .max(3_600_000)
    .default(60_000)
    .describe('How long a start waits for memory that an engine which ended has not given back.'),
  warmUpTokens: z
    .number()
    .int()
    .min(0)
    .max(512)
    .default(32)
    .describe(
      'Tokens of the generations that measure the speed of an engine nothing is known of; 0: none.',
    ),
  stopEnginesOnExit: z
    .boolean()
    .optional()
    .describe(
      'True: every engine ends with the agent; false: none does. Absent: as its pool says.',
    ),
  insecure: z
    .boolean()
    .default(false)
    .describe('Take commands without authentication on an address that others can reach.'),
  ...logConfigShape,
})

/** The settings of the agent: flags, environment and file, merged and checked. */
export type Settings = Readonly<z.infer<typeof settingsSchema>>
