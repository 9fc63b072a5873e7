import { join } from 'node:path'
import type { NatsServer } from './find-nats-server.ts'
import type { Paths } from './paths.ts'
import type { FleetPorts } from './run-state.ts'

/** How one process of the fleet is started and how it says that it is ready. */
export interface ServicePlan {
  readonly name: string
  readonly argv: readonly string[]
  readonly ready: { readonly kind: 'http'; readonly url: string } | { readonly kind: 'nats' }
  readonly port: number
  readonly startTimeoutMs: number
  /** From SIGTERM to SIGKILL when the fleet stops. */
  readonly stopTimeoutMs: number
}

export interface ServicePlanOptions {
  readonly paths: Paths
  readonly ports: FleetPorts
  readonly nats: NatsServer
  readonly poolsFile: string
}

const HOST = '127.0.0.1'
/** Young objects of a service are few, of an agent fewest: this keeps 9 MB of memory for others. */
const flagsOf = (name: string): string[] => [
  `--max-semi-space-size=${name === 'pool-managerd' ? 1 : 2}`,
]

/** The processes of a fleet in the order in which they start; they stop in reverse. */
export const planServices = (options: ServicePlanOptions): readonly ServicePlan[] => {
  const { ports } = options
  return [
    {
      name: 'nats',
      argv: natsArgv(options),
      ready: { kind: 'nats' },
      port: ports.nats,
      // The image may have to be pulled.
      startTimeoutMs: options.nats.kind === 'docker' ? 120_000 : 15_000,
      stopTimeoutMs: 1_000,
    },
    service(options, 'orchestrator-core', ports.coreHttp, [
      ...['--grpc-port', ports.coreGrpc],
      ...['--http-port', ports.coreHttp],
      ...['--nats-url', `nats://${HOST}:${ports.nats}`],
    ]),
    service(options, 'pool-managerd', ports.agentHttp, [
      ...['--pools-file', options.poolsFile],
      ...['--state-dir', join(options.paths.runDir, 'agent')],
      // Shared by all fleets of a checkout: what one has fetched the next has.
      ...['--models-dir', options.paths.modelsDir],
      ...['--grpc-port', ports.agentGrpc],
      ...['--ingress-port', ports.agentIngress],
      ...['--http-port', ports.agentHttp],
      ...['--nats-url', `nats://${HOST}:${ports.nats}`],
      ...['--engines-dir', options.paths.distDir],
      ...['--embedded-runtime-dir', options.paths.embeddedRuntimeDir],
      ...['--drain-timeout-ms', 500],
      // Whoever ends `up` wants nothing of it to stay.
      '--stop-engines-on-exit',
    ]),
    service(options, 'orchestratord', ports.gateway, [
      ...['--http-port', ports.gateway],
      ...['--core-addresses', `${HOST}:${ports.coreGrpc}`],
      ...['--drain-timeout-ms', 500],
    ]),
  ]
}

const service = (
  { paths }: ServicePlanOptions,
  name: string,
  port: number,
  args: readonly (string | number)[],
): ServicePlan => ({
  name,
  argv: [
    process.execPath,
    ...flagsOf(name),
    join(paths.distDir, `${name}.js`),
    ...args.map(String),
  ],
  ready: { kind: 'http', url: `http://${HOST}:${port}/readyz` },
  port,
  startTimeoutMs: 30_000,
  // An agent ends its engines first.
  stopTimeoutMs: name === 'pool-managerd' ? 4_000 : 1_500,
})

const natsArgv = ({ nats, ports, paths }: ServicePlanOptions): string[] => {
  if (nats.kind === 'program')
    return [
      nats.path,
      ...['--addr', HOST],
      ...['--port', String(ports.nats)],
      ...['--jetstream', '--store_dir', join(paths.runDir, 'nats')],
    ]
  return [
    nats.path,
    ...['run', '--rm', '--name', `berth-nats-${ports.nats}`],
    ...['--publish', `${HOST}:${ports.nats}:4222`, 'nats:2', '--jetstream'],
  ]
}
