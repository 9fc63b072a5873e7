import { create, type MessageInitShape } from '@bufbuild/protobuf'
import { connectBus, subjects } from '@berth/bus'
import {
  HostHeartbeatSchema,
  HostSnapshotSchema,
  PoolManagerService,
  PoolState,
  Residency,
  type Pool,
  type PoolSchema,
} from '@berth/contract'
import { BerthError } from '@berth/kernel'
import type { LeaseKey } from '@berth/lease'
import { implement, serveRpc } from '@berth/rpc'
import { createScope, createSilentLogger } from '@berth/runtime'

/** A published pool by what a spec says of it. */
export type PoolDraft = Exclude<MessageInitShape<typeof PoolSchema>, Pool>

/**
 * What core sees of a host: snapshots on the bus, and the door for the lease key and for whoever
 * asks for the snapshot itself. Disposing is its death: nothing is said of it any more.
 */
export interface FakeAgent extends AsyncDisposable {
  /** Keys it was given, newest first. */
  readonly keys: LeaseKey[]
  /** Publishes these pools as the next revision. */
  publish(...pools: PoolDraft[]): void
}

/** A ready CPU pool with the resident model `m`, one slot and one instance. */
export const readyPool = (poolId: string, draft: PoolDraft = {}): PoolDraft => ({
  poolId,
  engine: 'sim',
  engineVersion: '1',
  state: PoolState.READY,
  live: true,
  ready: true,
  instanceId: `${poolId}-1`,
  deviceMask: ['cpu'],
  slotsTotal: 1,
  models: [{ modelId: 'm', residency: Residency.RESIDENT }],
  supports: { routes: ['/v1/chat/completions'] },
  contextLength: 4096,
  performance: { tokensPerS: 100, firstTokenMs: 10, samples: 1 },
  ...draft,
})

/** An agent of which only what core talks to is real. */
export const startFakeAgent = async (natsUrl: string, hostId: string): Promise<FakeAgent> => {
  const scope = createScope()
  const log = createSilentLogger()
  const bus = scope.use(await connectBus({ url: natsUrl, name: hostId, log }))
  const keys: LeaseKey[] = []
  const epoch = BigInt(Date.now())
  let revision = 0n
  let last = create(HostSnapshotSchema, { hostId, epoch })
  const refuse = () => {
    throw new BerthError('UNSUPPORTED_OPERATION', 'The fake agent only takes keys.')
  }
  const every = Object.fromEntries(
    PoolManagerService.methods.map(({ localName }) => [localName, refuse]),
  ) as unknown as Parameters<typeof implement<typeof PoolManagerService>>[1]
  const service = implement(PoolManagerService, {
    ...every,
    getHost: async () => ({ host: last }),
    installLeaseKey: async ({ keyId, key, epoch: meant }) => {
      if (meant !== epoch) throw new BerthError('STALE_EPOCH', 'The key is for another life.')
      keys.unshift({ keyId, key })
      return { keyIds: keys.map((known) => known.keyId) }
    },
  })
  const host = '127.0.0.1'
  const rpc = await serveRpc({ host, port: 0, services: [service], log, drainTimeoutMs: 500 })
  scope.use(rpc)
  const beat = setInterval(() => {
    const heartbeat = create(HostHeartbeatSchema, { hostId, epoch, revision })
    bus.publish(subjects.hostHeartbeat(hostId), heartbeat)
  }, 1_000)
  scope.defer(() => clearInterval(beat))
  return {
    keys,
    publish: (...pools) => {
      last = create(HostSnapshotSchema, {
        hostId,
        epoch,
        revision: (revision += 1n),
        grpcAddress: `${host}:${rpc.port}`,
        ingressAddress: `${hostId}:7081`,
        agentVersion: '0.0.0-fake',
        devices: [{ deviceId: 'cpu', kind: 1 }],
        pools,
      })
      bus.publish(subjects.hostSnapshot(hostId), last)
    },
    [Symbol.asyncDispose]: () => scope[Symbol.asyncDispose](),
  }
}
