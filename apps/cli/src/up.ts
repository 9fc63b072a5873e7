import type { Clock } from '@berth/kernel'
import { systemClock } from '@berth/runtime'
import { CliError } from './cli-error.ts'
import { EXIT } from './exit-code.ts'
import { findNatsServer } from './find-nats-server.ts'
import { firstChat } from './first-chat.ts'
import { firstReadyPool } from './first-ready-pool.ts'
import { createFleet, type Fleet } from './fleet.ts'
import { releaseLock, takeLock } from './fleet-lock.ts'
import { choosePorts } from './free-ports.ts'
import type { Paths } from './paths.ts'
import { preparePools } from './prepare-pools.ts'
import { readRunState, removeRunState, type ProcessRecord } from './run-state.ts'
import { planServices } from './service-plan.ts'
import { showStatusLine } from './status-line.ts'
import { sweep } from './sweep.ts'
import type { UpContext } from './up-context.ts'
import { upDetached } from './up-detached.ts'
import { watched } from './wait-until.ts'

/**
 * Starts a fleet, sends a first request through it, and keeps it running until Ctrl-C or until a
 * service has died too often. Whatever ends it, nothing of it is left running.
 */
export const up = async (context: UpContext): Promise<number> => {
  const { scope, paths, options, terminal } = context
  const holder = takeLock(paths)
  if (holder) throw alreadyRunning(paths, holder)
  if (options.detach) {
    releaseLock(paths)
    return upDetached(context)
  }
  const clock = systemClock()
  scope.defer(() => releaseLock(paths))
  scope.defer(() => removeRunState(paths))
  scope.defer(async () => {
    await sweep(clock, paths)
  })
  const { count } = await sweep(clock, paths)
  if (count > 0) terminal.print(`! Ended ${count} processes that an earlier run left behind.`)

  const { fleet, poolsFile } = await startFleet(context, clock)
  const url = fleet.state().url
  const pool = await firstReadyPool(context, { clock, url, poolsFile })
  const model = pool?.model_id ?? ''
  if (model !== '')
    await watched({ clock, terminal, label: 'First chat completion' }, () =>
      firstChat({ ...context, url, model }),
    )
  // Before it counts as ready: `--detach` shows what was said until then.
  if (model !== '') explainNext(context, url, model)
  else explainEmpty(context, poolsFile)
  fleet.enter('ready')
  await keepRunning(context, clock, fleet)
  return EXIT.ok
}

const keepRunning = async (context: UpContext, clock: Clock, fleet: Fleet) => {
  const over = new AbortController()
  const signal = AbortSignal.any([context.signal, over.signal])
  const { url } = fleet.state()
  try {
    await Promise.race([showStatusLine({ ...context, signal, clock, url }), fleet.gaveUp])
  } finally {
    over.abort()
  }
}

const startFleet = async (context: UpContext, clock: Clock) => {
  const { scope, paths, options, terminal, signal } = context
  const common = { paths, terminal, clock, signal }
  // Cheap refusals come before anything is downloaded.
  const ports = await choosePorts(options.port)
  const poolsFile = await preparePools({ ...common, choice: options })
  const nats = await findNatsServer({ ...common, env: process.env })
  const plans = planServices({ paths, ports, nats, poolsFile })
  const fleet = scope.use(createFleet({ ...common, ports, plans }))
  scope.defer(() => terminal.print('Stopping ...'))
  await fleet.start()
  return { fleet, poolsFile }
}

const explainNext = ({ terminal }: UpContext, url: string, model: string) => {
  const body = JSON.stringify({ model, messages: [{ role: 'user', content: 'Hello' }] })
  terminal.print(`
Berth is ready. OpenAI base URL: ${url}/v1  model: ${model}

Try:
  ./berth chat "Tell me about harbours."
  ./berth status
  curl ${url}/v1/chat/completions -H 'content-type: application/json' -d '${body}'
`)
  if (terminal.isInteractive) terminal.print('Ctrl-C stops everything.')
}

const explainEmpty = ({ terminal }: UpContext, poolsFile: string) => {
  terminal.print(`
Berth is ready, and no pool serves a model yet.

Add pools to ${poolsFile}: it is read again whenever it is saved. Pools that rest are
started by hand: ./berth pools start ID
  ./berth pools ls
  ./berth doctor
`)
  if (terminal.isInteractive) terminal.print('Ctrl-C stops everything.')
}

const alreadyRunning = (paths: Paths, holder: ProcessRecord) => {
  const url = readRunState(paths)?.url
  const where = url === undefined ? 'starting' : url
  return new CliError(
    EXIT.alreadyRunning,
    `A fleet is already running here (pid ${holder.pid}, ${where}).`,
    './berth status shows it, ./berth down stops it.',
  )
}
