import { spawn } from 'node:child_process'
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { driverOf } from '@berth/drivers'
import type {
  EngineAccess,
  EngineDriver,
  EngineExit,
  EngineMetrics,
  EngineSpec,
  LaunchGrant,
  ProbeResponse,
  ProbeResult,
  ProbeSpec,
} from '@berth/supervision'
import { EMBEDDED_RUNTIME_DIR, freePort, TINY_MODEL, until } from '@berth/test-support'

/** An engine as its driver plans it, without an agent around it. Disposing kills it. */
export interface BareEngine extends AsyncDisposable {
  readonly pid: number
  readonly driver: EngineDriver
  readonly spec: EngineSpec
  readonly access: EngineAccess
  readonly exited: Promise<EngineExit>
  /** What it has printed so far. */
  log(): readonly string[]
  probe(probe: ProbeSpec, headers?: EngineAccess['headers']): Promise<ProbeResult>
  /** What its driver reads of each of its ready probes. */
  probeAll(): Promise<readonly ProbeResult[]>
  untilReady(): Promise<void>
  metrics(): Promise<EngineMetrics>
  post(path: string, body: object, signal?: AbortSignal): Promise<Response>
}

/** Starts an engine. `grant` adds to what it is granted; `argv` to its command line. */
export const startBareEngine = async (
  spec: EngineSpec,
  more: { readonly grant?: Partial<LaunchGrant>; readonly argv?: readonly string[] } = {},
): Promise<BareEngine> => {
  const driver = driverOf(spec.engine)!
  const plan = driver.plan(spec, { ...(await grantOf()), ...more.grant })
  if (plan.kind !== 'process') throw new Error(`${spec.engine} is never started`)
  const { access } = plan
  const folder = mkdtempSync(join(tmpdir(), 'berth-bare-'))
  const logPath = join(folder, 'log')
  const output = openSync(logPath, 'a')
  const [program, ...args] = [...plan.argv, ...(more.argv ?? [])]
  const child = spawn(program!, args, {
    cwd: folder,
    env: { PATH: process.env['PATH'], HOME: folder, ...plan.env },
    stdio: ['ignore', output, output],
  })
  closeSync(output)
  const exited = new Promise<EngineExit>((resolve, reject) => {
    child.once('error', reject)
    child.once('exit', (code, signal) => resolve({ code, signal }))
  })
  // Who awaits it hears of it; nobody has to.
  exited.catch(() => undefined)
  const log = () => readFileSync(logPath, 'utf8').split('\n')
  const probe = async (of: ProbeSpec, headers = access.headers) =>
    driver.readProbe(of, await ask(access.baseUrl, of, headers), spec)
  const probeAll = () => Promise.all(access.readyProbes.map((of) => probe(of)))
  return {
    ...{ pid: child.pid ?? 0, driver, spec, access, exited, log, probe, probeAll },
    untilReady: async () => {
      const isReady = async () => {
        if (child.exitCode !== null) throw new Error(`It ended:\n${log().slice(-20).join('\n')}`)
        return (await probeAll()).every(({ verdict }) => verdict === 'healthy')
      }
      await until(`${spec.engine} is ready`, isReady, READY_WITHIN_MS)
    },
    metrics: async () => {
      const { metricsPath } = access
      if (metricsPath === undefined) return {}
      const answer = await fetch(access.baseUrl + metricsPath, { headers: access.headers })
      return driver.readMetrics(await answer.text())
    },
    post: (path, body, signal) =>
      fetch(access.baseUrl + path, {
        method: 'POST',
        headers: { 'content-type': 'application/json', ...access.headers },
        body: JSON.stringify(body),
        ...(signal ? { signal } : {}),
      }),
    [Symbol.asyncDispose]: async () => {
      child.kill('SIGKILL')
      await exited.catch(() => undefined)
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

/** Of gigabytes, on a busy machine. */
const READY_WITHIN_MS = 80_000

const DIST = join(import.meta.dirname, '..', '..', '..', 'dist')

const grantOf = async (): Promise<LaunchGrant> => ({
  ...{ host: '127.0.0.1', port: await freePort(), devices: ['cpu'], apiKey: 'bare-key' },
  ...{ modelPath: TINY_MODEL, nodePath: process.execPath, enginesDir: DIST },
  embeddedRuntimeDir: EMBEDDED_RUNTIME_DIR,
})

const ask = async (
  baseUrl: string,
  { path, timeoutMs }: ProbeSpec,
  headers: EngineAccess['headers'],
): Promise<ProbeResponse> => {
  const startedAtMs = performance.now()
  try {
    const signal = AbortSignal.timeout(timeoutMs)
    const answer = await fetch(baseUrl + path, { headers, signal })
    const body = await answer.text()
    const tookMs = performance.now() - startedAtMs
    return { kind: 'answer', status: answer.status, body, tookMs }
  } catch (error) {
    const { name, message } = error as Error
    return name === 'TimeoutError' ? { kind: 'timeout' } : { kind: 'refused', error: message }
  }
}
