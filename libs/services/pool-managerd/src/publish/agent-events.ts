import { create, type MessageInitShape } from '@bufbuild/protobuf'
import type { Bus } from '@berth/bus'
import { subjects } from '@berth/bus'
import { EventSchema, type Operation } from '@berth/contract'
import type { FoundDevice } from '@berth/devices'
import { randomUuid, type Clock, type Rng } from '@berth/kernel'
import type { Effect, LoadProgress } from '@berth/supervision'
import { loadMessage } from './load-message.ts'
import { POOL_STATE } from './wire.ts'

/** Tells the fleet what happens here. Speed, never truth: losing all of them loses nothing. */
export interface AgentEvents {
  poolTransition(poolId: string, effect: Extract<Effect, { readonly kind: 'transitioned' }>): void
  instanceExited(poolId: string, effect: Extract<Effect, { readonly kind: 'instance_ended' }>): void
  /** A model came further on its way into an engine. */
  loadChanged(poolId: string, progress: LoadProgress): void
  /** A device failed, or is well again. */
  deviceChanged(device: FoundDevice, poolIds: readonly string[]): void
  operationChanged(operation: Operation, correlationId: string): void
}

export interface AgentEventsOptions {
  readonly bus: Bus
  readonly clock: Clock
  readonly rng: Rng
  readonly hostId: string
  readonly epoch: number
}

type Kind = NonNullable<MessageInitShape<typeof EventSchema>['kind']>

export const createAgentEvents = ({ bus, clock, rng, ...own }: AgentEventsOptions): AgentEvents => {
  const publish = (name: string, kind: Kind, correlationId = '') =>
    bus.publish(
      subjects.event(name, own.hostId),
      create(EventSchema, {
        eventId: randomUuid(rng),
        atMs: BigInt(Math.round(clock.wall())),
        hostId: own.hostId,
        epoch: BigInt(own.epoch),
        correlationId,
        kind,
      }),
    )
  return {
    poolTransition: (poolId, { from, to, reason, instanceId }) =>
      publish('pool_transition', {
        case: 'poolTransition',
        value: {
          poolId,
          instanceId: instanceId ?? '',
          from: POOL_STATE[from],
          to: POOL_STATE[to],
          reason,
        },
      }),
    instanceExited: (poolId, { instanceId, report, exit, backoffMs }) =>
      publish('instance_exited', {
        case: 'instanceExited',
        value: {
          poolId,
          instanceId,
          ...(typeof exit?.code === 'number' ? { exitCode: exit.code } : {}),
          signal: exit?.signal ?? '',
          crashKind: report.kind,
          message: report.message,
          willRestart: backoffMs !== undefined,
          backoffMs: BigInt(Math.round(backoffMs ?? 0)),
        },
      }),
    loadChanged: (poolId, progress) =>
      publish('load_changed', {
        case: 'loadChanged',
        value: { poolId, load: loadMessage(progress) },
      }),
    deviceChanged: ({ deviceId, uuid, fault }, poolIds) =>
      publish('device_changed', {
        case: 'deviceChanged',
        value: {
          ...{ deviceId, uuid, poolIds: [...poolIds] },
          ...{ faultKind: fault?.kind ?? '', fault: fault?.message ?? '' },
        },
      }),
    operationChanged: (operation, correlationId) =>
      publish(
        'operation_changed',
        { case: 'operationChanged', value: { operation } },
        correlationId,
      ),
  }
}
