import type { GrantedGpu } from '@berth/supervision'
import type { EngineUser } from './privileges.ts'

/** Programs that run containers. */
export type ContainerRuntime = 'podman' | 'docker'

/** One engine in a container: all that its command line is made of. */
export interface ContainerRun {
  readonly runtime: ContainerRuntime
  readonly image: string
  /** Of the container, and of nothing else on this host. */
  readonly name: string
  readonly labels: Readonly<Record<string, string>>
  /** The engine's own command line, as it is inside. */
  readonly argv: readonly string[]
  /** Names of variables that the program that runs containers has and hands on: values stay out. */
  readonly variables: readonly string[]
  /** The same number inside and on the host's loopback. */
  readonly port: number
  readonly gpus: readonly GrantedGpu[]
  readonly user: EngineUser
  /** The agent is no root: podman maps users of its own. */
  readonly isRootless: boolean
  readonly groups: readonly number[]
  /** Mounted where it is on the host, for reading. */
  readonly modelFolder?: string
  /** Of the engine's user on the host: caches that outlive a container. */
  readonly home: string
  readonly stopGraceMs: number
}

/** Where `home` is inside. */
export const HOME_INSIDE = '/home/engine'

const PIDS_MAX = 4_096
const TMP_BYTES = '4g'
/** Workers of one engine on several GPUs share memory; the default is 64 MiB. */
const SHARED_BYTES = '16g'

/**
 * The command line that runs an engine in a container: reachable on loopback only, nothing of the
 * host to write to but its home, no capabilities and no way to new ones, and the runtime's own
 * profiles of seccomp and AppArmor, which are on unless they are turned off. It stays in the
 * foreground: its output and its exit are the engine's.
 */
export const containerArgv = (run: ContainerRun): readonly string[] => {
  const [program = '', ...args] = run.argv
  return [
    ...[run.runtime, 'run', '--rm', `--name=${run.name}`],
    ...Object.entries(run.labels).map(([name, value]) => `--label=${name}=${value}`),
    ...['--restart=no', '--log-driver=none', '--pull=missing'],
    `--stop-timeout=${Math.ceil(run.stopGraceMs / 1_000)}`,
    `--publish=127.0.0.1:${run.port}:${run.port}/tcp`,
    ...identity(run),
    ...['--read-only', '--cap-drop=ALL', '--security-opt=no-new-privileges'],
    `--pids-limit=${PIDS_MAX}`,
    `--tmpfs=/tmp:rw,nosuid,nodev,size=${TMP_BYTES}`,
    ...mounts(run),
    ...devices(run),
    ...run.variables.map((name) => `--env=${name}`),
    ...[`--env=HOME=${HOME_INSIDE}`, `--workdir=${HOME_INSIDE}`],
    ...[`--entrypoint=${program}`, run.image],
    ...args,
  ]
}

const identity = ({ runtime, user, groups, isRootless }: ContainerRun): readonly string[] => [
  `--user=${user.uid}:${user.gid}`,
  // Without it the files of the agent's user would be root's inside.
  ...(runtime === 'podman' && isRootless ? ['--userns=keep-id'] : []),
  ...groups.map((gid) => `--group-add=${gid}`),
]

const mounts = ({ modelFolder, home }: ContainerRun): readonly string[] => [
  `--mount=type=bind,source=${home},target=${HOME_INSIDE}`,
  ...(modelFolder === undefined
    ? []
    : [`--mount=type=bind,source=${modelFolder},target=${modelFolder},readonly`]),
]

/** Source: NVIDIA's container toolkit (CDI names), AMD's ROCm documentation for containers. */
const devices = ({ runtime, gpus }: ContainerRun): readonly string[] => {
  if (gpus.length === 0) return []
  const shared = `--shm-size=${SHARED_BYTES}`
  if (gpus.some(({ kind }) => kind === 'amd'))
    return [shared, '--device=/dev/kfd', '--device=/dev/dri']
  const uuids = gpus.map(({ uuid }) => uuid)
  return runtime === 'docker'
    ? // A list inside a list: without the quotes docker reads the second UUID as an option.
      [shared, `--gpus="device=${uuids.join(',')}"`]
    : [
        shared,
        ...uuids.map((uuid) => `--device=nvidia.com/gpu=${uuid}`),
        '--security-opt=label=disable',
      ]
}

/** An image that names its content, and not only a place where content may change. */
export const isPinned = (image: string): boolean => /@sha256:[0-9a-f]{64}$/.test(image)
