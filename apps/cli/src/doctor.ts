import { execFile } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { CliError } from './cli-error.ts'
import { doctorFleet, doctorPrograms, type DoctorLine } from './doctor-lines.ts'
import { EXIT } from './exit-code.ts'
import { readHolder } from './fleet-lock.ts'
import type { Paths } from './paths.ts'
import type { CommandContext } from './run-command.ts'
import { readRunState, type RunState } from './run-state.ts'

export interface DoctorContext extends CommandContext {
  readonly paths: Paths
  readonly options: { readonly pools?: string; readonly json: boolean }
}

/**
 * Looks at this machine, at the pools file and at the fleet when one runs; starts nothing. Exits
 * with 1 when something fails.
 */
export const doctor = async (context: DoctorContext): Promise<number> => {
  const { paths, terminal, options } = context
  const state = readHolder(paths) && readRunState(paths)
  const lines = [
    ...doctorPrograms(process.env),
    ...(await agentLines(context, state)),
    ...(state ? await doctorFleet(state) : []),
  ]
  const isWell = lines.every(({ status }) => status !== 'fail')
  if (options.json) terminal.print(JSON.stringify({ ok: isWell, lines }, null, 2))
  else for (const line of asText(lines)) terminal.print(line)
  return isWell ? EXIT.ok : EXIT.failed
}

/** Of no use while no fleet runs: `up` brings a NATS and a core of its own. */
const OF_A_FLEET: ReadonlySet<string> = new Set(['NATS', 'clock', 'core'])

/** What the agent says of this host, asked as the fleet runs it. */
const agentLines = async ({ paths, options, signal }: DoctorContext, state?: RunState) => {
  const pools = options.pools ?? poolsFileOf(paths, state)
  const argv = [
    ...[join(paths.distDir, 'pool-managerd.js'), 'check', '--json'],
    ...['--state-dir', join(paths.runDir, 'agent')],
    ...['--engines-dir', paths.distDir, '--embedded-runtime-dir', paths.embeddedRuntimeDir],
    ...(pools === undefined ? [] : ['--pools', resolve(pools)]),
    ...portFlags(state),
  ]
  const report = await run(argv, signal)
  const hasNats = state !== undefined || Boolean(process.env['BERTH_NATS_URL'])
  return report.lines
    .filter(({ check }) => hasNats || !OF_A_FLEET.has(check))
    .filter(({ check }) => pools !== undefined || check !== 'pools file')
}

/** Without a fleet all ports are free ones, as `up` takes them. */
const portFlags = (state: RunState | undefined): string[] => {
  const { agentGrpc = 0, agentIngress = 0, agentHttp = 0 } = state?.ports ?? {}
  return [
    ...['--grpc-port', String(agentGrpc), '--ingress-port', String(agentIngress)],
    ...['--http-port', String(agentHttp)],
    ...(state ? ['--nats-url', `nats://127.0.0.1:${state.ports.nats}`] : []),
  ]
}

/** The file the agent was started with; without a fleet the one of the last `up`. */
const poolsFileOf = (paths: Paths, state: RunState | undefined): string | undefined => {
  const agent = state?.services.find(({ name }) => name === 'pool-managerd')
  const own = join(paths.runDir, 'pools.yaml')
  return (agent && flagOf(agent.pid, '--pools-file')) ?? (existsSync(own) ? own : undefined)
}

const flagOf = (pid: number, flag: string): string | undefined => {
  try {
    const argv = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0')
    return argv.includes(flag) ? argv[argv.indexOf(flag) + 1] : undefined
  } catch {
    // It has ended, or there is no /proc.
    return undefined
  }
}

const TIMEOUT_MS = 60_000

const run = (argv: readonly string[], signal: AbortSignal) =>
  new Promise<{ readonly lines: readonly DoctorLine[] }>((done, reject) => {
    const options = { signal, timeout: TIMEOUT_MS, maxBuffer: 16 * 2 ** 20 }
    execFile(process.execPath, argv, options, (error, stdout, stderr) => {
      try {
        done(JSON.parse(stdout) as { readonly lines: readonly DoctorLine[] })
      } catch {
        const why = stderr.trim() || (error?.message ?? 'it printed nothing')
        const next = 'Correct the BERTH_ variables of this shell, or build: npm run build'
        reject(new CliError(EXIT.failed, `pool-managerd could not check: ${why}`, next))
      }
    })
  })

const asText = (lines: readonly DoctorLine[]): string[] => {
  const count = (status: DoctorLine['status']) =>
    lines.filter((line) => line.status === status).length
  return [
    ...lines.flatMap(({ check, status, message, advice }) => [
      `${status.padEnd(4)}  ${check}: ${message.replaceAll('\n', '\n      ')}`,
      ...(advice === undefined ? [] : [`      → ${advice}`]),
    ]),
    '',
    `${count('ok')} ok, ${count('warn')} warn, ${count('fail')} fail`,
  ]
}
