import { BerthError } from '@berth/kernel'
import { runCheck, type AgentSurroundings } from '@berth/pool-managerd'
import { EXIT_CONFIG, type ProcessEnv } from '@berth/runtime'

/** `pool-managerd check`: prints what it found of this host and sets the exit code. */
export const check = async (
  processEnv: ProcessEnv,
  surroundings: AgentSurroundings,
): Promise<void> => {
  try {
    const { text, exitCode } = await runCheck(processEnv, surroundings)
    process.stdout.write(`${text}\n`)
    process.exitCode = exitCode
  } catch (error) {
    const { reason, message } = BerthError.from(error)
    process.stderr.write(`pool-managerd check: ${message}\n`)
    process.exitCode = reason === 'CONFIG_INVALID' ? EXIT_CONFIG : 1
  }
}
