import { gatewayConfigSchema, startOrchestratord } from '@berth/orchestratord'
import { createLogger, loadConfig, run, systemClock, systemRng } from '@berth/runtime'

const name = 'orchestratord'

await run(
  name,
  async (scope, env) => {
    const config = loadConfig({ name, schema: gatewayConfigSchema, env, fileKey: 'config' })
    const log = createLogger({ name, level: config.logLevel, format: config.logFormat })
    const clock = systemClock()
    const rng = systemRng()
    const { httpPort } = await startOrchestratord(scope, { config, clock, rng, log })
    log.info({ httpHost: config.httpHost, httpPort }, 'ready')
  },
  // The longest drain that can be configured, and some time to close what is under it.
  { shutdownTimeoutMs: 310_000 },
)
