import { sleep } from '@berth/kernel'
import type { Child } from '@berth/runtime'
import type { EngineAccess } from '@berth/supervision'
import { gpuMemoryOf } from './gpu-memory.ts'
import type { Instance } from './instance.ts'
import type { LaunchEnv, LaunchRequest } from './launch-instance.ts'
import { machineOf } from './machine.ts'
import type { LogTail } from './tail-log.ts'

/** After the group is dead, a port that stays taken is somebody else's. */
const PORT_WAIT_MS = 5_000
const GONE_POLL_MS = 25

export interface RunningProcess {
  readonly child: Child
  readonly tail: LogTail
  readonly access: EngineAccess
  readonly port: number
  /** Unix milliseconds. */
  readonly upSinceMs: number
}

/** An engine process of ours with its log and its door, started now or by an earlier life. */
export const instanceOfProcess = (
  request: LaunchRequest,
  { child, tail, access, port, upSinceMs }: RunningProcess,
  env: LaunchEnv,
): Instance => {
  const { instanceId, driver, ring } = request
  let isReleased = false
  const memory = gpuMemoryOf(request.spec, child.pid, env)
  child.onExit((exit) => {
    memory.note()
    // Its last words first: they say why.
    void tail[Symbol.asyncDispose]().then(() => {
      if (!isReleased) request.onExit(driver.classify(ring.last(200), exit), exit)
    })
  })
  return {
    instanceId,
    access,
    pid: child.pid,
    upSinceMs,
    signal: (signal) => {
      memory.note()
      child.signalGroup(signal)
    },
    gone: async (signal) => {
      await untilGone(child, port, env, signal)
      await memory.untilFree(signal)
      await env.journal.forget(instanceId)
    },
    release: async () => {
      isReleased = true
      child.release?.()
      await tail[Symbol.asyncDispose]()
    },
  }
}

const untilGone = async (child: Child, port: number, env: LaunchEnv, signal: AbortSignal) => {
  const { clock } = env
  while (child.groupIsAlive()) await sleep(clock, GONE_POLL_MS, signal)
  const deadline = clock.now() + PORT_WAIT_MS
  while (clock.now() < deadline && !(await machineOf(env).portIsFree(port))) {
    await sleep(clock, GONE_POLL_MS, signal)
  }
}
