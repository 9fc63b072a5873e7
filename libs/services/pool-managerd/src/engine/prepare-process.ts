import { dirname } from 'node:path'
import type { LaunchPlan } from '@berth/supervision'
import { AGENT_VARIABLE } from '../state/process-scan.ts'
import { childEnv } from './child-env.ts'
import { confine } from './confine.ts'
import type { Container } from './containers.ts'
import { maskedEnv } from './grant-devices.ts'
import type { LaunchEnv, LaunchRequest, LaunchResult } from './launch-instance.ts'
import type { EngineUser } from './privileges.ts'
import type { Room } from './room.ts'

export type ProcessPlan = Extract<LaunchPlan, { readonly kind: 'process' }>

/** All that a spawn takes. */
export interface Prepared {
  readonly kind: 'prepared'
  readonly argv: readonly string[]
  /** So many words of it make way for the rest once the process runs. */
  readonly passing: number
  readonly variables: Readonly<Record<string, string>>
  /** Whose the folders of the instance are; absent when it runs as the agent does. */
  readonly owner?: EngineUser
  /** What the process stands for, when the engine is not below it. */
  readonly container?: Container
}

export type Preparation = Prepared | Extract<LaunchResult, { readonly kind: 'refused' }>

/** An engine as a process of this host, without what the agent may do as root. */
export const prepareProcess = async (
  request: LaunchRequest,
  plan: ProcessPlan,
  room: Room,
  env: LaunchEnv,
): Promise<Preparation> => {
  const { agentEnv, mask } = maskedEnv(request.spec, env)
  const own = { ...plan.env, ...mask, ...agentMark(env) }
  const variables = childEnv(agentEnv, own, request.instanceId)
  const confined = await confine(
    { argv: plan.argv, folder: dirname(room.home), path: variables['PATH'], log: request.log },
    env.privileges,
  )
  if (confined.kind === 'refused') return confined
  const { prefix, owner } = confined
  return {
    kind: 'prepared',
    argv: [...prefix, ...plan.argv],
    passing: prefix.length,
    variables: owner ? { ...variables, ...homeOf(room, owner) } : variables,
    ...(owner ? { owner } : {}),
  }
}

/** The home of root is closed to another user, and a number has no name to be looked up. */
const homeOf = ({ home }: Room, { uid }: EngineUser) => ({
  ...{ HOME: home, USER: `berth-${uid}`, LOGNAME: `berth-${uid}` },
})

/** Marks what an engine starts as of this state directory. */
export const agentMark = ({ agentId }: LaunchEnv): Record<string, string> =>
  agentId === undefined ? {} : { [AGENT_VARIABLE]: agentId }
