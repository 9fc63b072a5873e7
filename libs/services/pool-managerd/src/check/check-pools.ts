import { access, constants, stat } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { drivers } from '@berth/drivers'
import { BerthError, messageOf } from '@berth/kernel'
import { createSilentLogger } from '@berth/runtime'
import type { LaunchGrant } from '@berth/supervision'
import { createEnginePrograms, type FoundProgram } from '../engine/engine-programs.ts'
import { LOOPBACK } from '../engine/loopback-port.ts'
import { findProgram, type Privileges } from '../engine/privileges.ts'
import { firstClosed } from '../engine/reach.ts'
import { stagedRefOf } from '../model-files/staged-ref.ts'
import { loadPoolsFile, type KnownDevices } from '../pools-file/load-pools-file.ts'
import { lacksModel } from '../pools-file/model-source.ts'
import type { PoolSpec, PoolsFile } from '../pools-file/pool-spec.ts'
import { fail, ok, warn, type CheckLine } from './check-line.ts'

/** What the engines of the pools are looked for with. */
export interface EnginePlaces {
  readonly nodePath: string
  readonly enginesDir: string
  readonly embeddedRuntimeDir: string
  readonly path: string | undefined
  /** Absent: engines run as whoever looks. */
  readonly privileges?: Privileges | undefined
}

/** The pools file, as a start of the agent would read it; no file where it is wrong. */
export const checkPoolsFile = (
  path: string | undefined,
  devices: KnownDevices,
): { readonly line: CheckLine; readonly file?: PoolsFile } => {
  const check = 'pools file'
  if (path === undefined)
    return { line: warn(check, 'none is named', 'Name one: pool-managerd check --pools FILE') }
  try {
    const file = loadPoolsFile({ path, drivers, devices })
    const ids = file.pools.map(({ poolId, engine }) => `${poolId} (${engine.engine})`)
    const pools = ids.length === 0 ? 'no pools' : ids.join(', ')
    return { line: ok(check, `${path}, host ${file.hostId}: ${pools}`), file }
  } catch (error) {
    const { message } = BerthError.from(error)
    return {
      line: fail(check, message, 'Mend these and check again: docs/pools.md has every key.'),
    }
  }
}

const PROGRAMS = ['vllm', 'llama-server', 'ollama', 'podman', 'docker']

/** Which engines and container runtimes this host has beside those that come with Berth. */
export const checkPath = async (path: string | undefined): Promise<CheckLine> => {
  const found = await Promise.all(PROGRAMS.map((program) => findProgram(program, path)))
  const there = found.filter((program) => program !== undefined)
  return ok(
    'engines on PATH',
    there.length === 0 ? `none of ${PROGRAMS.join(', ')}` : there.join(', '),
  )
}

/** Whether the engine of a pool could be started: its program, its parts and its model. */
export const checkEngine = async (spec: PoolSpec, places: EnginePlaces): Promise<CheckLine> => {
  const check = `pool ${spec.poolId}`
  const { mode, engine, url = '' } = spec.engine
  if (mode !== 'managed') return ok(check, `${engine} at ${url} is ${mode}: it is not started here`)
  if (lacksModel(spec))
    return warn(check, 'it has no model: it rests', 'Set model, or reload the pool to one.')
  const program = await programOf(spec, places)
  if (program.kind === 'refused')
    return fail(check, program.report.message, 'Or take the pool out of the pools file.')
  let argv: readonly string[]
  try {
    const { kind: _, ...found } = program
    const plan = drivers[engine]?.plan(spec.engine, { ...grantOf(spec, places), ...found })
    argv = plan?.kind === 'process' ? plan.argv : []
  } catch (error) {
    return fail(check, messageOf(error), 'Mend its entry in the pools file.')
  }
  return (
    (await lacksProgram(check, argv, places)) ??
    (await lacksRuntime(check, spec, places)) ??
    (await lacksRead(check, spec, places)) ??
    ok(check, `${engine}, ${spec.engine.modelId ?? 'no model'}, ${spec.devices.join(', ')}`)
  )
}

/** As a start would find it. */
const programOf = async (
  spec: PoolSpec,
  { path, privileges }: EnginePlaces,
): Promise<FoundProgram> => {
  const driver = drivers[spec.engine.engine]
  const env = { agentEnv: { PATH: path }, ...(privileges ? { privileges } : {}) }
  return driver
    ? createEnginePrograms().find({ spec, driver, log: createSilentLogger() }, env)
    : { kind: 'found' }
}

const grantOf = (spec: PoolSpec, places: EnginePlaces): LaunchGrant => ({
  ...{ host: LOOPBACK, port: spec.port || 1, devices: spec.devices, gpus: [], apiKey: 'check' },
  ...{ nodePath: places.nodePath, enginesDir: places.enginesDir },
  embeddedRuntimeDir: places.embeddedRuntimeDir,
  ...modelOf(spec),
})

/** What would be fetched first is somewhere then. */
const modelOf = (spec: PoolSpec): Pick<LaunchGrant, 'modelPath'> => {
  const path = spec.modelPath ?? (stagedRefOf(spec, false) && '/fetched')
  return path === undefined ? {} : { modelPath: path }
}

const lacksProgram = async (check: string, argv: readonly string[], { path }: EnginePlaces) => {
  const [program = '', script = ''] = argv
  if ((await findProgram(program, path)) === undefined)
    return fail(
      check,
      `its program ${program} cannot be run`,
      'Install it, put it on the PATH of the agent, or set lifecycle.binary_path.',
    )
  return script.endsWith('.js') && !(await isThere(script))
    ? fail(check, `there is no ${script}`, 'Build it (npm run build), or set engines_dir.')
    : undefined
}

const NATIVE = 'node-llama-cpp'

const lacksRuntime = async (check: string, { engine }: PoolSpec, places: EnginePlaces) => {
  if (engine.engine !== 'embedded' || engine.binaryPath !== undefined) return undefined
  const folder = join(places.embeddedRuntimeDir, 'node_modules', NATIVE)
  return (await isThere(folder))
    ? undefined
    : fail(
        check,
        `the embedded engine's ${NATIVE} is not in ${places.embeddedRuntimeDir || 'any folder'}`,
        'Install it (./berth up does), and set embedded_runtime_dir.',
      )
}

const lacksRead = async (check: string, { modelPath: path }: PoolSpec, places: EnginePlaces) => {
  if (path === undefined) return undefined
  const { user } = places.privileges ?? {}
  const closed = user
    ? await firstClosed(path, user)
    : await access(path, constants.R_OK).then(
        () => undefined,
        () => path,
      )
  return closed === undefined
    ? undefined
    : fail(
        check,
        `its engine${user ? ` (uid ${user.uid})` : ''} may not read ${basename(closed)}`,
        `Let it: chmod o+rX ${closed}`,
      )
}

const isThere = (path: string): Promise<boolean> =>
  stat(path).then(
    () => true,
    () => false,
  )
