import type { CommandPoolRequest, Operation, TailPoolLogRequest } from '@berth/contract'
import type { PoolView } from '@berth/fleet'
import { BerthError, type PoolId } from '@berth/kernel'
import type { CallContext } from '@berth/rpc'
import type { AgentClient, AgentClients } from './agent-clients.ts'
import type { Core } from './core-state.ts'
import { createOperationFinder, operationOf, type PoolOperationInit } from './pool-operations.ts'

/** Operations that are watched and logs that are followed, at once. */
const STREAMS_MAX = 256
/** Commands to pools: core knows where a pool is, its agent decides and carries out. */
export interface PoolCommands {
  /** Rejects with what the agent answers, `POOL_NOT_FOUND` or `POOL_UNAVAILABLE`. */
  command(request: CommandPoolRequest, context: CallContext): Promise<PoolOperationInit>
  /** What agents remember, the newest first; `poolId` empty: of all pools. */
  list(
    poolId: string,
    context: CallContext,
  ): Promise<{ readonly operations: PoolOperationInit[]; readonly silentHosts: string[] }>
  /** Rejects with `OPERATION_NOT_FOUND`, or `POOL_UNAVAILABLE` when a host that may know is silent. */
  get(operationId: string, context: CallContext): Promise<PoolOperationInit>
  watch(operationId: string, context: CallContext): AsyncIterable<PoolOperationInit>
  tailLog(request: TailPoolLogRequest, context: CallContext): AsyncIterable<{ lines: string[] }>
}

export const createPoolCommands = (
  core: Readonly<Core>,
  { ask, follow }: AgentClients,
): PoolCommands => {
  let streams = 0

  const poolOf = (poolId: string): PoolView => {
    const pool = core.view.pools.get(poolId as PoolId)
    if (pool) return pool
    throw new BerthError(
      'POOL_NOT_FOUND',
      `There is no pool ${JSON.stringify(poolId.slice(0, 80))}. GET /v1/pools lists them.`,
    )
  }
  const { find, remembered } = createOperationFinder(core, ask)
  const bounded = async function* <T>(stream: () => AsyncIterable<T>): AsyncGenerator<T> {
    if (streams >= STREAMS_MAX) throw tooMany()
    streams += 1
    try {
      yield* stream()
    } finally {
      streams -= 1
    }
  }
  return {
    command: async (request, context) => {
      const { host } = poolOf(request.poolId)
      const operation = await ask(host, (client) => send(client, request, core.role.term, context))
      return operationOf(host, operation)
    },
    list: async (poolId, context) => {
      const hosts = poolId === '' ? [...core.view.hosts.values()] : [poolOf(poolId).host]
      return remembered(hosts, { poolId }, context)
    },
    get: async (operationId, context) => (await find(operationId, context)).operation,
    watch: (operationId, context) =>
      bounded(async function* () {
        const { host } = await find(operationId, context)
        const { correlationId, signal } = context
        const options = { correlationId, signal, deadlineMs: Infinity }
        for await (const { operation } of follow(host, (client) =>
          client.watchOperation({ operationId }, options),
        ))
          if (operation) yield operationOf(host, operation)
      }),
    tailLog: ({ poolId, lines, follow: isFollowed }, { correlationId, signal }) =>
      bounded(async function* () {
        const { host } = poolOf(poolId)
        const options = { correlationId, signal, deadlineMs: Infinity }
        yield* follow(host, (client) =>
          client.tailLog({ poolId, lines, follow: isFollowed }, options),
        )
      }),
  }
}

/** Passes a command on, under the term of this leader. */
const send = async (
  client: AgentClient,
  { poolId, idempotencyKey, command }: CommandPoolRequest,
  term: number,
  { correlationId, signal }: CallContext,
): Promise<Operation | undefined> => {
  const request = { header: { term: BigInt(term), idempotencyKey }, poolId }
  const options = { correlationId, signal }
  switch (command.case) {
    case 'start':
      return (await client.start(request, options)).operation
    case 'stop':
      return (await client.stop({ ...request, ...plain(command.value) }, options)).operation
    case 'restart':
      return (await client.restart({ ...request, ...plain(command.value) }, options)).operation
    case 'resetRestarts':
      return (await client.resetRestarts(request, options)).operation
    case 'drain':
      return (await client.drain({ ...request, ...plain(command.value) }, options)).operation
    case 'undrain':
      return (await client.undrain(request, options)).operation
    case 'reload':
      return (await client.reload({ ...request, ...plain(command.value) }, options)).operation
    case 'bench':
      return (await client.bench({ ...request, ...plain(command.value) }, options)).operation
    case 'loadModel':
      return (await client.loadModel({ ...request, ...plain(command.value) }, options)).operation
    case 'unloadModel':
      return (await client.unloadModel({ ...request, ...plain(command.value) }, options)).operation
    case 'sleep':
      return (await client.sleep({ ...request, ...plain(command.value) }, options)).operation
    case 'wake':
      return (await client.wake(request, options)).operation
    case undefined:
      throw new BerthError('INVALID_PARAMS', 'The request names no command.')
  }
}

/** The fields of a message, to be those of another. */
const plain = <T extends { readonly $typeName: string }>({ $typeName: _, ...fields }: T) => fields

const tooMany = () =>
  new BerthError(
    'RATE_LIMITED',
    `This core follows ${STREAMS_MAX} logs and operations already. End one, or ask again later.`,
    { retryAfterMs: 5_000 },
  )
