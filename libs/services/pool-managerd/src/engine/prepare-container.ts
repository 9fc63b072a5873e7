import { dirname } from 'node:path'
import type { LaunchGrant } from '@berth/supervision'
import { AGENT_VARIABLE, INSTANCE_VARIABLE } from '../state/process-scan.ts'
import type { ContainerSpec, PoolSpec } from '../pools-file/pool-spec.ts'
import { containerArgv, isPinned } from './container-argv.ts'
import {
  AGENT_LABEL,
  containerName,
  containerOf,
  INSTANCE_LABEL,
  pickRuntime,
} from './containers.ts'
import { maskedEnv } from './grant-devices.ts'
import type { LaunchEnv, LaunchRequest } from './launch-instance.ts'
import { agentMark, type Preparation, type ProcessPlan } from './prepare-process.ts'
import { DEFAULT_USER, type EngineUser } from './privileges.ts'
import type { StagedModel } from './stage-model.ts'
import type { Room } from './room.ts'

/** What an engine inside may know of the agent's environment; paths of the host mean nothing. */
const INSIDE = /^(HF_TOKEN|LANG|LC_\w+|TZ|(https?|no)_proxy|HTTPS?_PROXY|NO_PROXY)$/
/** What the program that runs containers needs of it. */
const OUTSIDE =
  /^(PATH|HOME|USER|LANG|TMPDIR|XDG_\w+|DBUS_SESSION_BUS_ADDRESS|DOCKER_\w+|CONTAINERS?_\w+|REGISTRY_AUTH_FILE|(https?|no)_proxy|HTTPS?_PROXY|NO_PROXY)$/

/** The plan of an engine in a container of `podman` or `docker`. */
export const prepareContainer = async (
  request: LaunchRequest,
  {
    plan,
    grant,
    room,
  }: { readonly plan: ProcessPlan; readonly grant: LaunchGrant; readonly room: Room },
  of: ContainerSpec,
  env: LaunchEnv,
): Promise<Preparation> => {
  const { spec, instanceId, log } = request
  const { runtime, isThere } = await pickRuntime(of.runtime, env.agentEnv['PATH'])
  if (!isThere) return missing(of)
  if (!isPinned(of.image))
    log.info({ image: of.image }, 'image has no digest in the pools file: its content may change')
  const { agentEnv, mask } = maskedEnv(spec, env)
  const inside = {
    ...matching(agentEnv, INSIDE),
    ...{ ...plan.env, ...mask, ...agentMark(env), [INSTANCE_VARIABLE]: instanceId },
  }
  const user = userOf(env)
  const groups = env.privileges?.deviceGroups ?? []
  const modelFolder = modelFolderOf(spec, request.model)
  const argv = containerArgv({
    ...{ runtime, image: of.image, argv: plan.argv, user, groups },
    name: containerName(instanceId),
    labels: {
      [INSTANCE_LABEL]: instanceId,
      ...(env.agentId === undefined ? {} : { [AGENT_LABEL]: env.agentId }),
    },
    variables: Object.keys(inside).sort(),
    port: grant.port,
    gpus: grant.gpus ?? [],
    isRootless: env.self !== undefined && env.self.uid !== 0,
    home: room.home,
    stopGraceMs: plan.stopGraceMs,
    ...(modelFolder === undefined ? {} : { modelFolder }),
  })
  const outside = matching(env.agentEnv, OUTSIDE)
  return {
    kind: 'prepared',
    argv,
    passing: 0,
    variables: { ...outside, ...inside },
    owner: user,
    container: containerOf(instanceId, { runtime, env: outside, log }),
  }
}

/** The container of an instance of an earlier life. */
export const adoptedContainer = async (
  { spec, instanceId, log }: LaunchRequest,
  env: LaunchEnv,
) => {
  if (!spec.container) return undefined
  const { runtime } = await pickRuntime(spec.container.runtime, env.agentEnv['PATH'])
  return containerOf(instanceId, { runtime, env: matching(env.agentEnv, OUTSIDE), log })
}

/** What a program that runs containers is started with. */
export const containerEnv = (agentEnv: LaunchEnv['agentEnv']): Record<string, string> =>
  matching(agentEnv, OUTSIDE)

/** What an engine is told of the place it runs in: images hold our own engines there. */
export const insideOf = ({ homeDir: _, ...grant }: LaunchGrant): LaunchGrant => ({
  ...grant,
  // The only way in is the port that is published on the host's loopback.
  host: '0.0.0.0',
  nodePath: 'node',
  enginesDir: '/opt/berth',
  embeddedRuntimeDir: '/opt/berth/embedded-engine',
})

const userOf = ({ privileges, self }: LaunchEnv): EngineUser => {
  if (privileges) return privileges.user
  return self === undefined || self.uid === 0 ? DEFAULT_USER : self
}

/**
 * The folder of all models when the file is in it, else that of the file alone. A snapshot of the
 * store is links to files beside it.
 */
const modelFolderOf = (
  { modelRoot }: PoolSpec,
  model: StagedModel | undefined,
): string | undefined => {
  if (model === undefined) return undefined
  const { path: modelPath } = model
  const [, repository] = /^(.*)\/snapshots\//.exec(modelPath) ?? []
  if (repository !== undefined) return repository
  const isBelow = modelRoot !== undefined && modelPath.startsWith(`${modelRoot}/`)
  return isBelow ? modelRoot : dirname(modelPath)
}

const matching = (
  variables: Readonly<Record<string, string | undefined>>,
  pattern: RegExp,
): Record<string, string> =>
  Object.fromEntries(
    Object.entries(variables).filter(
      (entry): entry is [string, string] =>
        pattern.test(entry[0]) && entry[1] !== undefined && entry[0] !== AGENT_VARIABLE,
    ),
  )

const missing = ({ runtime }: ContainerSpec): Preparation => ({
  kind: 'refused',
  report: {
    kind: 'missing_runtime',
    message:
      runtime === 'container'
        ? 'Neither podman nor docker is on PATH. Install one, or set runtime of the pool to process.'
        : `${runtime} is not on PATH. Install it, or set runtime of the pool to process.`,
    isRetriable: false,
  },
})
