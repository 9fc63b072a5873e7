import type { MessageInitShape } from '@bufbuild/protobuf'
import type {
  CommandHostRequest,
  CommandHostResponseSchema,
  FleetServiceFitModelRequest,
  FleetServiceFitModelResponseSchema,
  FleetServiceListModelFilesResponseSchema,
  HostModelFilesSchema,
  PoolFitSchema,
} from '@berth/contract'
import type { HostView, PoolView } from '@berth/fleet'
import { BerthError, type PoolId } from '@berth/kernel'
import type { CallContext } from '@berth/rpc'
import type { AgentClients } from './agent-clients.ts'
import { askHosts } from './ask-hosts.ts'
import type { Core } from './core-state.ts'
import { operationOf } from './pool-operations.ts'

/** A fit may read a header that stands elsewhere, a removal many files. */
const SLOW_DEADLINE_MS = 8_000
/** Hosts named in a refusal. */
const NAMED_MAX = 20

type HostModelFilesInit = MessageInitShape<typeof HostModelFilesSchema>
type PoolFitInit = MessageInitShape<typeof PoolFitSchema>

/** Model files of hosts, and what they would take in a pool: agents know, core knows where to ask. */
export interface HostModels {
  /** Of one host, rejecting with `HOST_NOT_FOUND` or `POOL_UNAVAILABLE`; `hostId` empty: of all. */
  list(
    hostId: string,
    context: CallContext,
  ): Promise<MessageInitShape<typeof FleetServiceListModelFilesResponseSchema>>
  /** Rejects with what the agent answers; `INVALID_PARAMS` when several hosts could be meant. */
  command(
    request: CommandHostRequest,
    context: CallContext,
  ): Promise<MessageInitShape<typeof CommandHostResponseSchema>>
  /** Of one pool, rejecting with what its agent answers; `poolId` empty: of all. */
  fit(
    request: FleetServiceFitModelRequest,
    context: CallContext,
  ): Promise<MessageInitShape<typeof FleetServiceFitModelResponseSchema>>
}

export const createHostModels = (core: Readonly<Core>, { ask }: AgentClients): HostModels => {
  const filesOf = async (
    host: HostView,
    { correlationId, signal }: CallContext,
  ): Promise<HostModelFilesInit> => {
    const { models, disk } = await ask(host, (client) =>
      client.listModelFiles({}, { correlationId, signal }),
    )
    return { hostId: host.hostId, models, ...(disk ? { disk } : {}) }
  }
  const fitOf = async (
    { host, poolId }: PoolView,
    modelRef: string,
    { correlationId, signal }: CallContext,
  ): Promise<PoolFitInit> => {
    const options = { correlationId, signal, deadlineMs: SLOW_DEADLINE_MS }
    const fit = await ask(host, (client) => client.fitModel({ modelRef, poolId }, options))
    return { hostId: host.hostId, poolId, fit }
  }
  /** Fits of the pools of one host; only a host that does not answer is an error. */
  const fitsOf = async (host: HostView, modelRef: string, context: CallContext) => {
    const fits: PoolFitInit[] = []
    for (const pool of host.pools.values())
      fits.push(
        await fitOf(pool, modelRef, context).catch((thrown: unknown) => {
          const { reason, message } = BerthError.from(thrown)
          if (reason === 'POOL_UNAVAILABLE') throw thrown
          return { hostId: host.hostId, poolId: pool.poolId, reason: message }
        }),
      )
    return fits
  }
  return {
    list: async (hostId, context) => {
      if (hostId !== '') return { hosts: [await filesOf(hostOf(core, hostId), context)] }
      const hosts: HostModelFilesInit[] = []
      const silentHosts = await askHosts([...core.view.hosts.values()], context, async (host) => {
        hosts.push(await filesOf(host, context))
      })
      return { hosts: hosts.sort(byHost), silentHosts }
    },
    command: (request, context) =>
      sendToHost(ask, hostOf(core, request.hostId), {
        ...{ request, context, term: core.role.term },
      }),
    fit: async ({ modelRef, poolId }, context) => {
      if (poolId !== '') return { fits: [await fitOf(poolOf(core, poolId), modelRef, context)] }
      const fits: PoolFitInit[] = []
      const silentHosts = await askHosts([...core.view.hosts.values()], context, async (host) => {
        fits.push(...(await fitsOf(host, modelRef, context)))
      })
      return { fits: fits.sort(byPool), silentHosts }
    },
  }
}

/** Passes a command on, under the term of this leader. */
const sendToHost = async (
  ask: AgentClients['ask'],
  host: HostView,
  {
    request: { idempotencyKey, command },
    context: { correlationId, signal },
    term,
  }: {
    readonly request: CommandHostRequest
    readonly context: CallContext
    readonly term: number
  },
): Promise<MessageInitShape<typeof CommandHostResponseSchema>> => {
  const header = { term: BigInt(term), idempotencyKey }
  const options = { correlationId, signal, deadlineMs: SLOW_DEADLINE_MS }
  const { hostId } = host
  switch (command.case) {
    case 'pull': {
      const { modelRef, digest } = command.value
      const { operation } = await ask(host, (client) =>
        client.pullModel({ header, modelRef, digest }, options),
      )
      return { hostId, operation: operationOf(host, operation) }
    }
    case 'remove': {
      const { modelRef } = command.value
      const answer = await ask(host, (client) => client.removeModel({ header, modelRef }, options))
      return { hostId, freedBytes: answer.freedBytes }
    }
    case undefined:
      throw new BerthError('INVALID_PARAMS', 'The request names no command.')
  }
}

/** The host of an id; the only one there is where none is named. */
const hostOf = (core: Readonly<Core>, hostId: string): HostView => {
  const hosts = [...core.view.hosts.values()]
  if (hostId === '' && hosts.length === 1) return hosts[0]!
  const host = hosts.find((candidate) => candidate.hostId === hostId)
  if (host) return host
  const known = hosts.map((candidate) => candidate.hostId).sort()
  const names = known.length === 0 ? 'There is none.' : `There are: ${listed(known)}.`
  if (hostId === '' && hosts.length > 1)
    throw new BerthError('INVALID_PARAMS', `Which host is meant? ${names}`, {
      facts: { param: 'host' },
    })
  const what = hostId === '' ? 'There is no host yet.' : `There is no host ${quoted(hostId)}.`
  throw new BerthError('HOST_NOT_FOUND', hostId === '' ? what : `${what} ${names}`)
}

const listed = (names: readonly string[]): string => {
  const more = names.length > NAMED_MAX ? ` and ${names.length - NAMED_MAX} more` : ''
  return names.slice(0, NAMED_MAX).join(', ') + more
}

const poolOf = (core: Readonly<Core>, poolId: string): PoolView => {
  const pool = core.view.pools.get(poolId as PoolId)
  if (pool) return pool
  throw new BerthError(
    'POOL_NOT_FOUND',
    `There is no pool ${quoted(poolId)}. GET /v1/pools lists them.`,
  )
}

const quoted = (text: string) => JSON.stringify(text.slice(0, 80))

const byHost = (a: HostModelFilesInit, b: HostModelFilesInit) =>
  (a.hostId ?? '') < (b.hostId ?? '') ? -1 : 1

const byPool = (a: PoolFitInit, b: PoolFitInit) => ((a.poolId ?? '') < (b.poolId ?? '') ? -1 : 1)
