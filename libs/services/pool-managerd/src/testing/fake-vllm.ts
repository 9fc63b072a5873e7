import { chmod, mkdtemp, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'

const MAIN = new URL('../../../../../apps/sim-engine/src/vllm-command/main.ts', import.meta.url)
  .href

/** A vLLM that is installed on this host: real programs that take its command line. */
export interface FakeVllm extends AsyncDisposable {
  readonly dir: string
  /** Puts the programs first. */
  readonly env: { readonly PATH: string }
  /** What the next process finds around it: see `World` of sim-engine's vllm-command. */
  set(world: object): Promise<void>
}

/** A model that everybody may read. */
export const HUB = { 'acme/tiny': {}, 'acme/other': {} }
const QUICK = { load_ms: 20, load_line_ms: 10 }

/** Makes programs of these names; `path` is what else there is. */
export const makeFakeVllm = async (
  path: string,
  names: readonly string[] = ['vllm'],
): Promise<FakeVllm> => {
  const dir = await mkdtemp(join(tmpdir(), 'berth-vllm-'))
  const worldPath = join(dir, 'world.json')
  const set = async (world: object) => {
    const whole = { hub: HUB, ...world, knobs: { ...QUICK, ...(world as Knobbed).knobs } }
    await writeFile(`${worldPath}.new`, JSON.stringify(whole))
    await rename(`${worldPath}.new`, worldPath)
  }
  await writeFile(join(dir, 'package.json'), '{"type":"module"}')
  for (const name of names) {
    // As pip makes them: a script with the interpreter in its first line.
    const script = `#!${process.execPath}\nprocess.argv.splice(2, 0, ${JSON.stringify(worldPath)})\nawait import(${JSON.stringify(MAIN)})\n`
    await writeFile(join(dir, name), script)
    await chmod(join(dir, name), 0o755)
  }
  await set({})
  return {
    dir,
    env: { PATH: dir + delimiter + path },
    set,
    [Symbol.asyncDispose]: () => rm(dir, { recursive: true, force: true }),
  }
}

interface Knobbed {
  readonly knobs?: object
}

/** A pool of it with one GPU; plain names are fetched by vLLM itself. */
export const vllmPool = (id: string, more: object = {}) => ({
  ...{ id, engine: 'vllm', model: 'acme/tiny', devices: [0], slots: 2 },
  lifecycle: { health_check_interval_s: 0.1, shutdown_grace_s: 1 },
  ...more,
})
