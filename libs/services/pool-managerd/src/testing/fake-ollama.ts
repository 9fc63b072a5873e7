import { chmod, mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const MAIN = new URL('../../../../../apps/sim-engine/src/ollama-command/main.ts', import.meta.url)
  .href

/** An Ollama that is installed on this host: a real program that takes its environment. */
export interface FakeOllama extends AsyncDisposable {
  readonly binaryPath: string
  /** Where its models are, over its starts. */
  readonly modelsDir: string
  /** Knobs of the next daemon: see `@berth/sim-text`. */
  set(knobs: object): Promise<void>
}

export const makeFakeOllama = async (knobs: object = {}): Promise<FakeOllama> => {
  const dir = await mkdtemp(join(tmpdir(), 'berth-ollama-'))
  const worldPath = join(dir, 'world.json')
  const binaryPath = join(dir, 'ollama')
  const modelsDir = join(dir, 'models')
  const set = async (next: object) => {
    await writeFile(`${worldPath}.new`, JSON.stringify(next))
    await rename(`${worldPath}.new`, worldPath)
  }
  await writeFile(join(dir, 'package.json'), '{"type":"module"}')
  const script = [
    `#!${process.execPath}`,
    `process.argv.splice(2, 0, ${JSON.stringify(worldPath)})`,
    `await import(${JSON.stringify(MAIN)})`,
  ]
  await writeFile(binaryPath, `${script.join('\n')}\n`)
  await chmod(binaryPath, 0o755)
  await chmod(dir, 0o755)
  // Also an engine that does not run as we do keeps its models there.
  await mkdir(modelsDir)
  await chmod(modelsDir, 0o777)
  await set(knobs)
  return {
    binaryPath,
    modelsDir,
    set,
    [Symbol.asyncDispose]: () => rm(dir, { recursive: true, force: true }),
  }
}

/** A managed pool of it that looks at its models often. */
export const ollamaPool = (id: string, ollama: FakeOllama, more: object = {}) => ({
  ...{ id, engine: 'ollama', slots: 2 },
  engine_options: { models_dir: ollama.modelsDir },
  ...more,
  lifecycle: {
    ...{ health_check_interval_s: 0.1, shutdown_grace_s: 1, binary_path: ollama.binaryPath },
    ...(more as { lifecycle?: object }).lifecycle,
  },
})
