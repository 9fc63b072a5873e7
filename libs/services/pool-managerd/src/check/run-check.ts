import { createScope, createSilentLogger, loadConfig, systemClock } from '@berth/runtime'
import type { ProcessEnv } from '@berth/runtime'
import type { AgentSurroundings } from '../agent.ts'
import { checkHost } from './check-host.ts'
import { checkText } from './check-line.ts'
import { checkSettingsSchema } from './check-settings.ts'

/** What `pool-managerd check` prints, and its exit code: 1 when something fails. */
export interface CheckResult {
  readonly text: string
  readonly exitCode: 0 | 1
}

/** Looks at this host for an agent with these flags and variables. Throws `CONFIG_INVALID`. */
export const runCheck = async (
  env: ProcessEnv,
  surroundings: AgentSurroundings,
): Promise<CheckResult> => {
  const settings = loadConfig({ name: 'pool-managerd check', schema: checkSettingsSchema, env })
  await using scope = createScope()
  const log = createSilentLogger()
  const lines = await checkHost(settings, surroundings, { scope, clock: systemClock(), log })
  const hasFailed = lines.some(({ status }) => status === 'fail')
  return {
    text: settings.json ? JSON.stringify({ ok: !hasFailed, lines }, null, 2) : checkText(lines),
    exitCode: hasFailed ? 1 : 0,
  }
}
