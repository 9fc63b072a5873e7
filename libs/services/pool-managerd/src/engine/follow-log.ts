import type { LogSign } from '@berth/supervision'
import type { LaunchEnv, LaunchRequest } from './launch-instance.ts'
import { machineOf } from './machine.ts'
import { readSigns } from './read-signs.ts'
import type { LogTail } from './tail-log.ts'

/** As much as says why an engine ended, with the trace that vLLM prints after it. */
const LAST_WORDS = 200

/** The log of one instance, as it goes to the ring of its pool. */
export interface FollowedLog extends LogTail {
  /** Its own last lines: the ring holds those of the instance before it too. */
  lastWords(): readonly string[]
}

/** `mask` hides secrets before anybody sees a line. `onLines`: it printed something. */
export const followLog = (
  { ring, log, driver, instanceId }: LaunchRequest,
  of: {
    readonly path: string
    readonly mask: (line: string) => string
    readonly onLines: () => void
    readonly onSign: (sign: LogSign) => void
  },
  env: LaunchEnv,
): FollowedLog => {
  let last: readonly string[] = []
  const tail = machineOf(env).tailLog({
    path: of.path,
    clock: env.clock,
    log,
    mask: of.mask,
    onLines: (lines) => {
      last = [...last, ...lines.slice(-LAST_WORDS)].slice(-LAST_WORDS)
      ring.push(lines)
      of.onLines()
      for (const sign of readSigns(driver, lines)) {
        env.memory?.hear(instanceId, sign)
        of.onSign(sign)
      }
    },
  })
  return {
    catchUp: () => tail.catchUp(),
    lastWords: () => last,
    [Symbol.asyncDispose]: () => tail[Symbol.asyncDispose](),
  }
}
