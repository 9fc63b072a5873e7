import { sleep, type Clock } from '@berth/kernel'
import { systemClock } from '@berth/runtime'
import { CliError } from './cli-error.ts'
import { EXIT } from './exit-code.ts'
import type { Gateway } from './placement-client.ts'
import { changePool, readOperation, type OperationDetail } from './pools-client.ts'
import { operationLine } from './pools-text.ts'
import { gatewayOf, show, type PoolsContext, type PoolsOptions } from './pools.ts'
import type { Terminal } from './terminal.ts'

/** Flags of the commands that change a pool. */
export interface ChangeOptions extends PoolsOptions {
  readonly wait?: boolean
  /** Seconds that requests in flight may go on. */
  readonly deadline?: number
  readonly onDeadline?: 'force' | 'abort'
}

const POLL_MS = 250
/** A control plane that is away for so long is not coming back by itself. */
const AWAY_MAX_MS = 30_000

/**
 * Asks for a change of a pool. With `--wait` it ends when the change does: `ok` when it is done,
 * `failed` when it failed or was cancelled.
 */
export const changePoolBy = async (
  context: PoolsContext<ChangeOptions>,
  id: string,
  { command, model }: { readonly command: string; readonly model?: string | undefined },
): Promise<number> => {
  const { options, terminal } = context
  const gateway = gatewayOf(context)
  const asked = await changePool(gateway, { id, command, body: bodyOf(options, model) })
  const operation = options.wait
    ? await untilOver(gateway, asked, {
        clock: systemClock(),
        // Nothing but the operation is to be on stdout then.
        tell: options.json ? () => undefined : (now) => tellStep(terminal, now),
      })
    : asked
  terminal.clear()
  show(context, operation, [operationLine(operation), ...followUp(operation)])
  return ENDED_BADLY.has(operation.status) ? EXIT.failed : EXIT.ok
}

const OVER: ReadonlySet<string> = new Set(['completed', 'failed', 'cancelled'])
const ENDED_BADLY: ReadonlySet<string> = new Set(['failed', 'cancelled'])

/** The body of a command: only what was said. */
export const bodyOf = ({ deadline, onDeadline }: ChangeOptions, model?: string) => ({
  ...(deadline === undefined ? {} : { deadline_ms: Math.max(1, Math.round(deadline * 1_000)) }),
  ...(onDeadline === undefined ? {} : { on_deadline: onDeadline }),
  ...(model === undefined ? {} : { new_model_ref: model }),
})

const followUp = ({ status, operation_id: id, backend_id: pool }: OperationDetail) =>
  OVER.has(status) ? [] : [`operation ${id}; see ./berth pools history ${pool ?? ''}`]

/** Tells where an operation stands: where nothing can be rewritten, a line for each step. */
export const tellStep = (terminal: Terminal, now: OperationDetail): void =>
  terminal.live(`  ${operationLine(now)}`, `  ${now.operation_type}: ${now.step ?? now.status}`)

/** Watches an operation until it has ended, however it does. */
export const untilOver = async (
  gateway: Gateway,
  asked: OperationDetail,
  { clock, tell }: { readonly clock: Clock; readonly tell: (now: OperationDetail) => void },
): Promise<OperationDetail> => {
  let now = asked
  let seenAt = clock.now()
  while (!OVER.has(now.status)) {
    tell(now)
    await sleep(clock, POLL_MS, gateway.signal)
    try {
      now = await readOperation(gateway, asked.operation_id)
      seenAt = clock.now()
    } catch (error) {
      // The agent goes on whether it is watched or not; another core may lead in a moment.
      gateway.signal.throwIfAborted()
      if (!(error instanceof CliError) || clock.now() - seenAt > AWAY_MAX_MS) throw error
    }
  }
  return now
}
