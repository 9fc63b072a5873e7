import { sleep } from '@berth/kernel'
import type { Child } from '@berth/runtime'
import type { EngineAccess } from '@berth/supervision'
import type { Cgroup } from './cgroup.ts'
import { exitOfContainer, type Container } from './containers.ts'
import type { FollowedLog } from './follow-log.ts'
import { gpuMemoryOf } from './gpu-memory.ts'
import type { Instance } from './instance.ts'
import type { LaunchEnv, LaunchRequest } from './launch-instance.ts'
import { machineOf } from './machine.ts'
import { tellExit } from './tell-exit.ts'

/** After the group is dead, a port that stays taken is somebody else's. */
const PORT_WAIT_MS = 5_000
const GONE_POLL_MS = 25
/** A look at every process of the host, so seldom while the kernel holds one. */
const TREE_POLL_MS = 50
const TREE_POLL_MAX_MS = 1_000

export interface RunningProcess {
  readonly child: Child
  readonly log: FollowedLog
  readonly access: EngineAccess
  readonly port: number
  /** Unix milliseconds. */
  readonly upSinceMs: number
  /** Its own folder. */
  readonly cwd: string
  readonly cgroup: Cgroup | undefined
  /** What the process stands for, when the engine is not below it. */
  readonly container: Container | undefined
  readonly stopGraceMs: number
}

/** An engine process of ours with its log and its door, started now or by an earlier life. */
export const instanceOfProcess = (
  request: LaunchRequest,
  running: RunningProcess,
  env: LaunchEnv,
): Instance => {
  const { instanceId } = request
  const { child, log, port, cgroup } = running
  const { pid } = child
  let isReleased = false
  const memory = gpuMemoryOf(request.spec, { group: pid, instanceId }, env)
  child.onExit((exit) => {
    memory.note()
    // Its last words first: they say why.
    void log[Symbol.asyncDispose]().then(() => {
      if (isReleased) return
      const lastWords = log.lastWords()
      const seen = running.container ? exitOfContainer(exit) : exit
      const report = tellExit(request, { exit: seen, lastWords, pid, port }, env)
      if (report.kind === 'out_of_vram') env.memory?.fellShort(instanceId)
      request.onExit(report, seen)
    })
  })
  return {
    instanceId,
    access: running.access,
    pid,
    upSinceMs: running.upSinceMs,
    signal: (signal) => {
      memory.note()
      if (signal === 'SIGKILL') return killAll(instanceId, running, env)
      void endGently(running)
    },
    gone: async (signal) => {
      await untilGone(instanceId, running, env, signal)
      env.memory?.release(instanceId)
      await memory.untilFree(signal)
      await cgroup?.remove()
      await machineOf(env).clearRoom(running.cwd)
      await env.journal.forget(instanceId)
    },
    release: async () => {
      isReleased = true
      child.release?.()
      await log[Symbol.asyncDispose]()
    },
  }
}

/** One signal: a second one makes an engine give up its requests. */
const endGently = async ({ child, container, stopGraceMs }: RunningProcess) => {
  // While its image is still being fetched there is no container to stop.
  if (!(await container?.stop(stopGraceMs))) child.signalGroup('SIGTERM')
}

/** The group, what is in its control group, and what went to a group of its own. */
const killAll = (
  instanceId: string,
  { child, cgroup, container }: RunningProcess,
  env: LaunchEnv,
) => {
  const machine = machineOf(env)
  container?.kill()
  child.signalGroup('SIGKILL')
  cgroup?.kill()
  machine.killTree(machine.findTree(instanceId))
}

const untilGone = async (
  instanceId: string,
  running: RunningProcess,
  env: LaunchEnv,
  signal: AbortSignal,
) => {
  const { clock } = env
  const { child, port, container } = running
  const machine = machineOf(env)
  while (child.groupIsAlive()) await sleep(clock, GONE_POLL_MS, signal)
  // Nobody asks what left a group that is no more to end: it has no work, and may hold a GPU.
  const isThere = async () =>
    machine.findTree(instanceId).length > 0 || (await container?.isThere()) === true
  for (let waitMs = TREE_POLL_MS; await isThere();) {
    killAll(instanceId, running, env)
    await sleep(clock, waitMs, signal)
    waitMs = Math.min(TREE_POLL_MAX_MS, waitMs * 2)
  }
  const deadline = clock.now() + PORT_WAIT_MS
  while (clock.now() < deadline && !(await machine.portIsFree(port))) {
    await sleep(clock, GONE_POLL_MS, signal)
  }
}
