import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { messageOf } from '@berth/kernel'
import type { Logger } from '@berth/runtime'
import type { EngineExit } from '@berth/supervision'
import type { ContainerRuntime } from './container-argv.ts'
import { findProgram } from './privileges.ts'

/** Beyond what the engine may take to end. */
const ANSWER_MS = 15_000
const OUTPUT_MAX_BYTES = 1_048_576

export const INSTANCE_LABEL = 'berth.instance'
export const AGENT_LABEL = 'berth.agent'

/** How a container is called. Its instance is on no other host and in no other life. */
export const containerName = (instanceId: string): string => `berth-${instanceId}`

/** One container of ours, while and after it runs. */
export interface Container {
  /** SIGTERM, and SIGKILL once `graceMs` is over. False: there is none to stop. */
  stop(graceMs: number): Promise<boolean>
  /** SIGKILL, and nothing of it is left. */
  kill(): void
  /** True while the runtime knows it and it carries the mark of its instance. */
  isThere(): Promise<boolean>
}

interface Asked {
  readonly runtime: ContainerRuntime
  readonly env: Readonly<Record<string, string>>
  readonly log: Logger
}

/** The container of an instance, also of an earlier life of the agent. */
export const containerOf = (instanceId: string, asked: Asked): Container => {
  const name = containerName(instanceId)
  const { log, runtime } = asked
  const tell = (args: readonly string[], timeoutMs: number) =>
    void ask(asked, args, timeoutMs).catch((error: unknown) => {
      log.warn({ runtime, container: name, error: messageOf(error) }, 'container is not ended')
    })
  const isThere = async () => {
    const format = `{{index .Config.Labels "${INSTANCE_LABEL}"}}`
    try {
      return (await ask(asked, ['inspect', `--format=${format}`, name])).trim() === instanceId
    } catch (error) {
      // A runtime that does not answer may still run it.
      return !/no such/i.test(messageOf(error))
    }
  }
  return {
    isThere,
    stop: async (graceMs) => {
      if (!(await isThere())) return false
      tell(['stop', `--time=${Math.ceil(graceMs / 1_000)}`, name], graceMs + ANSWER_MS)
      return true
    },
    kill: () => tell(['rm', '--force', '--volumes', name], ANSWER_MS),
  }
}

/** Signals by the numbers that a runtime adds to 128. */
const SIGNALS: Readonly<Record<number, string>> = {
  ...{ 4: 'SIGILL', 6: 'SIGABRT', 7: 'SIGBUS', 9: 'SIGKILL', 11: 'SIGSEGV', 15: 'SIGTERM' },
}

/** How the engine ended, when what ended is the program that ran its container. */
export const exitOfContainer = (exit: EngineExit): EngineExit => {
  const signal = exit.code === null ? undefined : SIGNALS[exit.code - 128]
  return signal === undefined ? exit : { code: null, signal }
}

/**
 * Ends containers that earlier lives of an agent have left, but for the instances named; waits
 * until they are gone.
 */
export const sweepContainers = async (
  agentId: string,
  kept: ReadonlySet<string>,
  asked: Asked,
): Promise<void> => {
  const { runtime, log, env } = asked
  if ((await findProgram(runtime, env['PATH'])) === undefined) return
  try {
    const format = `{{.ID}} {{.Label "${INSTANCE_LABEL}"}}`
    const filter = `label=${AGENT_LABEL}=${agentId}`
    const list = await ask(asked, ['ps', '--all', `--filter=${filter}`, `--format=${format}`])
    const left = list
      .split('\n')
      .map((line) => line.trim().split(' '))
      .flatMap(([id, instanceId = '']) => (id && !kept.has(instanceId) ? [id] : []))
    if (left.length === 0) return
    log.warn({ runtime, containers: left }, 'ending containers of an earlier life')
    await ask(asked, ['rm', '--force', '--volumes', ...left])
  } catch (error) {
    log.warn(
      { runtime, error: messageOf(error) },
      'containers of earlier lives cannot be looked up',
    )
  }
}

const ask = async (
  { runtime, env }: Asked,
  args: readonly string[],
  timeout = ANSWER_MS,
): Promise<string> => {
  const options = { env, timeout, maxBuffer: OUTPUT_MAX_BYTES }
  return (await promisify(execFile)(runtime, [...args], options)).stdout
}

/** Of several that are wanted the first that is on PATH; the first of all when none is. */
export const pickRuntime = async (
  wanted: ContainerRuntime | 'container',
  path: string | undefined,
): Promise<{ readonly runtime: ContainerRuntime; readonly isThere: boolean }> => {
  const names: readonly ContainerRuntime[] =
    wanted === 'container' ? ['podman', 'docker'] : [wanted]
  for (const runtime of names)
    if ((await findProgram(runtime, path)) !== undefined) return { runtime, isThere: true }
  return { runtime: names[0] ?? 'podman', isThere: false }
}
