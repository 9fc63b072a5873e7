import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const SIM_MAIN = new URL('../../../../../apps/sim-engine/src/main.ts', import.meta.url).href

/** A folder with a pools file, room for state, and the simulator where an agent looks for it. */
export interface PoolsFolder extends AsyncDisposable {
  readonly dir: string
  readonly poolsFile: string
  readonly stateDir: string
  /** Replaces the pools file as editors do: another file takes its name. */
  write(document: unknown): Promise<void>
}

/** `document` is the pools file; JSON is YAML. */
export const makePoolsFolder = async (document: unknown): Promise<PoolsFolder> => {
  const dir = await mkdtemp(join(tmpdir(), 'berth-agent-'))
  const poolsFile = join(dir, 'pools.yaml')
  await writeFile(poolsFile, JSON.stringify(document))
  await writeFile(join(dir, 'sim-engine.js'), `import ${JSON.stringify(SIM_MAIN)}\n`)
  await writeFile(join(dir, 'package.json'), '{"type":"module"}')
  return {
    dir,
    poolsFile,
    stateDir: join(dir, 'state'),
    write: async (next) => {
      await writeFile(`${poolsFile}.new`, typeof next === 'string' ? next : JSON.stringify(next))
      await rename(`${poolsFile}.new`, poolsFile)
    },
    [Symbol.asyncDispose]: () => rm(dir, { recursive: true, force: true }),
  }
}

export const simPool = (id: string, more: object = {}, knobs: object = {}) => ({
  id,
  engine: 'sim',
  model: 'sim-model',
  slots: 2,
  engine_options: { load_ms: 1, ...knobs },
  ...more,
})
