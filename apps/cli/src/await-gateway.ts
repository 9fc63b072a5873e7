import { systemClock } from '@berth/runtime'
import { CliError } from './cli-error.ts'
import { EXIT } from './exit-code.ts'
import { listModels, listPools, type PoolView } from './gateway-client.ts'
import type { CommandContext } from './run-command.ts'
import type { Terminal } from './terminal.ts'
import { waitUntil, type Wait } from './wait-until.ts'

export interface AwaitGateway extends Pick<CommandContext, 'terminal' | 'signal'> {
  readonly url: string
  /** The fleet of this checkout runs: its gateway comes back when it is away. */
  readonly isSupervised: boolean
}

/** Longer than a service that died takes to serve again: restart, leader lease, first snapshots. */
const TIMEOUT_MS = 30_000

/**
 * The first model that is served. While a control plane is starting, or was just restarted, it
 * does not answer or knows no models yet: then this waits, and says so.
 */
export const firstModel = async (options: AwaitGateway): Promise<string> => {
  const look = async () => (await modelsOf(options))?.[0]
  return (await look()) ?? waitUntil(waitFor(options, 'Waiting for a model to be served'), look)
}

const modelsOf = async ({ url, isSupervised }: AwaitGateway) => {
  try {
    return await listModels(url)
  } catch (error) {
    const isAway = error instanceof CliError && error.exitCode === EXIT.notRunning
    if (isAway && isSupervised) return undefined
    throw error
  }
}

/** The pools of a fleet that runs; waits likewise, and is `undefined` when that takes too long. */
export const awaitPools = async (
  options: Omit<AwaitGateway, 'isSupervised'>,
): Promise<readonly PoolView[] | undefined> => {
  const look = () => listPools(options.url)
  const first = await look()
  if (first) return first
  return waitUntil(waitFor(options, 'Waiting for the control plane'), look).catch(
    (error: unknown) => {
      options.signal.throwIfAborted()
      if (error instanceof CliError) return undefined
      throw error
    },
  )
}

const waitFor = (
  { terminal, signal }: Pick<AwaitGateway, 'terminal' | 'signal'>,
  label: string,
): Wait => ({
  clock: systemClock(),
  terminal: besideResults(terminal),
  ...{ signal, label, timeoutMs: TIMEOUT_MS, next: 'Look at the pools: ./berth status' },
})

/** Progress on stderr, so that stdout holds the result alone. */
const besideResults = (terminal: Terminal): Terminal => {
  let told = ''
  return {
    ...terminal,
    print: terminal.note,
    live: (line, key = line) => {
      if (terminal.isInteractive) return terminal.live(line, key)
      if (key !== told) terminal.note(key)
      told = key
    },
  }
}
