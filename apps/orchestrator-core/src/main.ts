import { connectBus, natsAccess } from '@berth/bus'
import { watchKeyFile } from '@berth/keys'
import { coreConfigSchema, createOrchestratorCore } from '@berth/orchestrator-core'
import { serveRpc } from '@berth/rpc'
import {
  createLogger,
  createMetrics,
  loadConfig,
  refuseOpenDoor,
  run,
  serveStatus,
  systemClock,
  systemRng,
  watchConfig,
} from '@berth/runtime'
import manifest from '../package.json' with { type: 'json' }

const NAME = 'orchestrator-core'

await run(NAME, async (scope, env) => {
  const source = { name: NAME, schema: coreConfigSchema, env }
  const config = loadConfig(source)
  const log = createLogger({ name: NAME, level: config.logLevel, format: config.logFormat })
  const clock = systemClock()
  const rng = systemRng()
  const metrics = scope.use(createMetrics(NAME))
  const { grpcHost, grpcPort, httpHost, httpPort, drainTimeoutMs, insecure } = config
  refuseOpenDoor({ setting: 'grpc_host', host: grpcHost, insecure })
  const bus = scope.use(await connectBus({ ...natsAccess(config), name: NAME, log }))
  const { version } = manifest
  const path = config.keysFile
  const keys = path === undefined ? undefined : scope.use(watchKeyFile({ path, clock, log }))
  const budgets = keys ? { budgetOfKey: (id: string) => keys.current.budgetOfKey(id) } : {}
  const parts = { version, clock, rng, bus, metrics, log, ...budgets }
  const core = createOrchestratorCore({ config, ...parts })
  const { services, ready } = core
  const rpc = await serveRpc({ host: grpcHost, port: grpcPort, services, log, drainTimeoutMs })
  scope.use(rpc)
  scope.use(core)
  await core.start(config.advertiseAddress ?? `${grpcHost}:${rpc.port}`)
  const onChange: typeof core.config.onChange = (change) => {
    log.level = change.config.logLevel
    core.config.onChange(change)
  }
  scope.use(watchConfig({ ...source, clock, log, ...core.config, onChange }, config))
  const http = await serveStatus({ host: httpHost, port: httpPort, metrics, ready, log })
  scope.use(http)
  const ports = { grpcPort: rpc.port, httpPort: http.port }
  log.info({ grpcHost, httpHost, ...ports }, 'listening')
  log.info(ports, 'ready')
})
