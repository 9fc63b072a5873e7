import type { MessageInitShape } from '@bufbuild/protobuf'
import type { Operation, PoolOperationSchema } from '@berth/contract'
import type { HostView } from '@berth/fleet'
import { BerthError } from '@berth/kernel'
import type { CallContext } from '@berth/rpc'
import type { AgentClients } from './agent-clients.ts'
import { askHosts } from './ask-hosts.ts'
import type { Core } from './core-state.ts'

/** For one host of many: one that is gone must not hide what the others know. */
const LIST_DEADLINE_MS = 1_500

/** An operation and its host, as core passes it on. */
export type PoolOperationInit = MessageInitShape<typeof PoolOperationSchema>

/** An operation and the host that carries it out. */
export interface Found {
  readonly host: HostView
  readonly operation: PoolOperationInit
}

/** Asks agents for the operations they remember. */
export const createOperationFinder = (core: Readonly<Core>, ask: AgentClients['ask']) => {
  const remembered = async (
    hosts: readonly HostView[],
    wanted: { readonly poolId?: string; readonly operationId?: string },
    context: CallContext,
  ) => {
    const operations: PoolOperationInit[] = []
    const { correlationId, signal } = context
    const silentHosts = await askHosts(hosts, context, async (host) => {
      const answer = await ask(host, (client) =>
        client.listOperations(wanted, { correlationId, signal, deadlineMs: LIST_DEADLINE_MS }),
      )
      operations.push(...answer.operations.map((operation) => operationOf(host, operation)))
    })
    return { operations: operations.sort(byAge), silentHosts }
  }
  const find = async (operationId: string, context: CallContext): Promise<Found> => {
    const hosts = [...core.view.hosts.values()]
    // What is under way stands in the snapshot of its host: nobody else has to be asked.
    const running = hosts.filter((host) =>
      core.published
        .get(host.hostId)
        ?.pools.some(({ currentOperation: now }) => now?.operationId === operationId),
    )
    const asked = running.length > 0 ? running : hosts
    const { operations, silentHosts } = await remembered(asked, { operationId }, context)
    const [operation] = operations
    const host = asked.find(({ hostId }) => hostId === operation?.hostId)
    if (operation && host) return { host, operation }
    throw notFound(operationId, silentHosts)
  }
  return { find, remembered }
}

/** An operation of a host, as it travels. */
export const operationOf = (
  { hostId }: HostView,
  operation: Operation | undefined,
): PoolOperationInit => ({
  hostId,
  ...(operation ? { operation } : {}),
})

const byAge = ({ operation: a }: PoolOperationInit, { operation: b }: PoolOperationInit): number =>
  Number((b?.initiatedAtMs ?? 0n) - (a?.initiatedAtMs ?? 0n))

const notFound = (operationId: string, silentHosts: readonly string[]) => {
  const name = JSON.stringify(operationId.slice(0, 80))
  if (silentHosts.length === 0)
    return new BerthError(
      'OPERATION_NOT_FOUND',
      `No agent knows an operation ${name}. Agents remember their last 200, for one life.`,
    )
  return new BerthError(
    'POOL_UNAVAILABLE',
    `No agent that answers knows an operation ${name}; silent: ${silentHosts.join(', ')}.`,
    { retryAfterMs: 2_000, facts: { host_id: silentHosts[0]! } },
  )
}
