import { execFile } from 'node:child_process'
import type { Clock } from '@berth/kernel'
import { CliError } from './cli-error.ts'
import { EXIT } from './exit-code.ts'
import { findProgram } from './find-program.ts'
import type { Paths } from './paths.ts'
import { runTool } from './run-tool.ts'
import type { Terminal } from './terminal.ts'
import { watched } from './wait-until.ts'

/** How NATS is run here. */
export type NatsServer =
  | { readonly kind: 'program'; readonly path: string }
  | { readonly kind: 'docker'; readonly path: string }

type Env = Readonly<Record<string, string | undefined>>

export interface FindNatsOptions {
  readonly paths: Paths
  readonly terminal: Terminal
  readonly clock: Clock
  readonly signal: AbortSignal
  readonly env: Env
}

/**
 * `nats-server` where it is installed; else it is installed with the system's package manager
 * (as root, or where sudo asks for no password); else a docker that answers; else a `CliError`
 * that says how to get it.
 */
export const findNatsServer = async (options: FindNatsOptions): Promise<NatsServer> => {
  const { env, terminal } = options
  const found = findProgram('nats-server', env)
  if (found) return { kind: 'program', path: found }

  const docker = findProgram('docker', env)
  const commands = await installCommands(env)
  let failure: unknown
  if (commands) {
    terminal.print(`nats-server is not installed; running: ${commands.at(-1)!.join(' ')}`)
    failure = await install(options, commands).catch((error: unknown) => error)
    options.signal.throwIfAborted()
    const installed = findProgram('nats-server', env)
    if (installed) return { kind: 'program', path: installed }
  }
  if (docker && (await succeeds(docker, ['info']))) {
    terminal.print('nats-server is not installed; using the nats image with docker.')
    return { kind: 'docker', path: docker }
  }
  if (failure instanceof CliError) throw failure
  throw new CliError(
    EXIT.missingDependency,
    'There is no nats-server on this machine, and no way to install it without your help.',
    'Install it (sudo apt-get install nats-server, or brew install nats-server), or start docker; then run ./berth up again.',
  )
}

const install = (options: FindNatsOptions, commands: readonly string[][]): Promise<void> =>
  watched({ ...options, label: 'Installing nats-server' }, async () => {
    for (const argv of commands) {
      await runTool(options.paths, {
        argv,
        name: 'install-nats',
        env: { DEBIAN_FRONTEND: 'noninteractive' },
        signal: options.signal,
        failure: {
          message: 'nats-server did not install.',
          next: 'Install nats-server by hand and run ./berth up again.',
          exitCode: EXIT.missingDependency,
        },
      })
    }
  })

/** What installs it here, or `undefined` when that needs a password or another system. */
const installCommands = async (env: Env): Promise<string[][] | undefined> => {
  const brew = findProgram('brew', env)
  if (brew) return [[brew, 'install', 'nats-server']]
  const aptGet = findProgram('apt-get', env)
  const prefix = await rootPrefix(env)
  if (!aptGet || !prefix) return undefined
  return [
    [...prefix, aptGet, 'update', '-qq'],
    [...prefix, aptGet, 'install', '-y', '-qq', '--no-install-recommends', 'nats-server'],
  ]
}

const rootPrefix = async (env: Env): Promise<string[] | undefined> => {
  if (process.getuid?.() === 0) return []
  const sudo = findProgram('sudo', env)
  if (sudo === undefined || !(await succeeds(sudo, ['-n', 'true']))) return undefined
  return [sudo, '-n', 'DEBIAN_FRONTEND=noninteractive']
}

const PROBE_TIMEOUT_MS = 5_000

const succeeds = (file: string, args: readonly string[]): Promise<boolean> =>
  new Promise((resolve) => {
    execFile(file, args, { timeout: PROBE_TIMEOUT_MS }, (error) => resolve(error === null))
  })
