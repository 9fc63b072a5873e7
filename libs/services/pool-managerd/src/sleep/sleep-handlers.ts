import { OperationType, type Operation, type PoolManagerService } from '@berth/contract'
import { BerthError } from '@berth/kernel'
import type { Handlers } from '@berth/rpc'
import type { Operations } from '../commands/operations.ts'
import type { Command, PoolCommands } from '../commands/pool-commands.ts'
import type { Pool } from '../pool/pool.ts'
import type { PoolSleep } from './pool-sleep.ts'

/** Engines that put their weights aside and take them back. */
export const sleepHandlers = (
  commands: PoolCommands,
  operations: Operations,
): Pick<Handlers<typeof PoolManagerService>, 'sleep' | 'wake'> => {
  const carryOut = (
    type: OperationType,
    request: Command,
    correlationId: string,
    on: {
      readonly check: (sleep: PoolSleep) => void
      readonly work: (sleep: PoolSleep, onStep: (step: string) => void, pool: Pool) => Promise<void>
    },
  ) =>
    commands.carryOut({
      ...{ type, request, correlationId },
      check: (pool) => on.check(sleepIn(pool)),
      work: (pool, operation) =>
        concluding(operation, operations, (onStep) => on.work(sleepIn(pool), onStep, pool)),
    })
  return {
    sleep: (request, { correlationId }) =>
      carryOut(OperationType.SLEEP, request, correlationId, {
        check: (sleep) => sleep.refuseSleep(),
        work: (sleep, onStep, { spec }) =>
          sleep.fallAsleep(request.deadlineMs || spec.engine.shutdownGraceMs, onStep),
      }),
    wake: (request, { correlationId }) =>
      carryOut(OperationType.WAKE, request, correlationId, {
        check: () => undefined,
        work: (sleep, onStep) => sleep.wakeUp(onStep),
      }),
  }
}

/** A pool that sleeps takes no requests because somebody undrains it: its engine has to wake. */
export const refuseAsleep = ({ sleep, spec }: Pool): void => {
  if (sleep?.isAsleep !== true) return
  throw new BerthError(
    'UNSUPPORTED_OPERATION',
    `Pool ${spec.poolId} sleeps. Wake it: berth pools wake ${spec.poolId}.`,
    { facts: { pool_id: spec.poolId } },
  )
}

const concluding = async (
  { operationId }: Operation,
  operations: Operations,
  work: (onStep: (step: string) => void) => Promise<void>,
): Promise<void> => {
  try {
    await work((step) => operations.step(operationId, { step, percent: 0 }))
    operations.end(operationId, { kind: 'completed' })
  } catch (error) {
    const { reason, message } = BerthError.from(error)
    operations.end(operationId, { kind: 'failed', reason, message })
  }
}

const sleepIn = ({ sleep, spec, driver }: Pool): PoolSleep => {
  if (sleep) return sleep
  const { engine } = spec.engine
  const how = driver.abilities.hasSleep
    ? `was not started for it: set engine_options.enable_sleep_mode: true`
    : `cannot put its weights aside. To free its memory: berth pools stop ${spec.poolId}`
  throw new BerthError(
    'UNSUPPORTED_OPERATION',
    `Pool ${spec.poolId} runs ${engine}, which ${how}.`,
    {
      facts: { pool_id: spec.poolId, engine },
    },
  )
}
