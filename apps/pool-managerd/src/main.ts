import { settingsSchema, startAgent, type AgentSurroundings } from '@berth/pool-managerd'
import { createLogger, loadConfig, onHangup, readProcessEnv, run } from '@berth/runtime'
import manifest from '../package.json' with { type: 'json' }
import { check } from './check.ts'

const NAME = 'pool-managerd'
/** Requests in flight, engines that need SIGKILL, and the doors: each has a deadline of its own. */
const SHUTDOWN_TIMEOUT_MS = 90_000

const { argv, env, pid } = readProcessEnv()
const surroundings: AgentSurroundings = {
  ...{ env, pid, onHangup },
  uid: process.getuid?.() ?? -1,
  gid: process.getgid?.() ?? -1,
  nodePath: process.execPath,
  bundleDir: import.meta.dirname,
  version: manifest.version,
}

if (argv[0] === 'check') await check({ argv: argv.slice(1), env, pid }, surroundings)
else
  await run(
    NAME,
    async (scope, processEnv) => {
      const settings = loadConfig({ name: NAME, schema: settingsSchema, env: processEnv })
      const log = createLogger({ name: NAME, level: settings.logLevel, format: settings.logFormat })
      const agent = await startAgent(settings, surroundings, { scope, log })
      log.info(agent, 'ready')
    },
    { shutdownTimeoutMs: SHUTDOWN_TIMEOUT_MS },
  )
