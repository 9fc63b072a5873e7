import { settingsSchema, startAgent } from '@berth/pool-managerd'
import { createLogger, loadConfig, onHangup, run } from '@berth/runtime'
import manifest from '../package.json' with { type: 'json' }

const NAME = 'pool-managerd'
/** Requests in flight, engines that need SIGKILL, and the doors: each has a deadline of its own. */
const SHUTDOWN_TIMEOUT_MS = 90_000

await run(
  NAME,
  async (scope, processEnv) => {
    const settings = loadConfig({ name: NAME, schema: settingsSchema, env: processEnv })
    const log = createLogger({ name: NAME, level: settings.logLevel, format: settings.logFormat })
    const agent = await startAgent(
      settings,
      {
        env: processEnv.env,
        pid: processEnv.pid,
        uid: process.getuid?.() ?? -1,
        nodePath: process.execPath,
        bundleDir: import.meta.dirname,
        version: manifest.version,
        onHangup,
      },
      { scope, log },
    )
    log.info(agent, 'ready')
  },
  { shutdownTimeoutMs: SHUTDOWN_TIMEOUT_MS },
)
