import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { eventually } from './eventually.ts'

const SIM_MAIN = new URL('../../../../../apps/sim-engine/src/main.ts', import.meta.url).href

/** What a process was started with, and what it could read of its model. */
export interface ToldServer {
  readonly argv: readonly string[]
  readonly env: Readonly<Record<string, string>>
  readonly modelBytes: number
}

/** A llama-server of this host: a real program that takes its command line and prints its log. */
export interface FakeLlamaServer extends AsyncDisposable {
  readonly path: string
  /** The last start. */
  told(): Promise<ToldServer>
  /** Processes that were started with a model. */
  starts(): Promise<number>
}

/**
 * `loadMs`: from its start until it serves, half of it to warm up. `lines`: printed at once. It
 * ends like llama-server where its model cannot be read.
 */
export const makeFakeLlamaServer = async ({
  loadMs = 100,
  lines = [],
}: {
  readonly loadMs?: number
  readonly lines?: readonly string[]
} = {}): Promise<FakeLlamaServer> => {
  const dir = await mkdtemp(join(tmpdir(), 'berth-llama-server-'))
  await chmod(dir, 0o755)
  const path = join(dir, 'llama-server')
  const toldPath = join(dir, 'told.jsonl')
  const script = `#!${process.execPath}
import { appendFileSync, readFileSync } from 'node:fs'
const argv = process.argv.slice(2)
if (argv.includes('--version')) { console.error('version: 1 (fake)'); process.exit(0) }
const of = (flag) => argv[argv.indexOf(flag) + 1]
const line = (text) => process.stderr.write(text + '\\n')
const modelBytes = readFileSync(of('--model')).length
const told = JSON.stringify({ argv, env: process.env, modelBytes })
appendFileSync(${JSON.stringify(toldPath)}, told + '\\n')
for (const text of ${JSON.stringify(lines)}) line(text)
setTimeout(() => line('common_init_from_params: warming up the model with an empty run'), ${loadMs / 2})
process.env.BERTH_ENGINE_API_KEY = process.env.LLAMA_API_KEY
process.argv.splice(2, Infinity, '--dialect', 'llamacpp', '--host', of('--host'),
  '--port', of('--port'), '--model', of('--alias'), '--slots', of('-np'),
  '--load-ms', '${loadMs}', '--load-line-ms', '50')
await import(${JSON.stringify(SIM_MAIN)})
`
  await writeFile(join(dir, 'package.json'), '{"type":"module"}')
  await writeFile(toldPath, '', { mode: 0o666 })
  await chmod(toldPath, 0o666)
  await writeFile(path, script)
  await chmod(path, 0o755)
  const read = async () =>
    (await readFile(toldPath, 'utf8'))
      .split('\n')
      .filter((text) => text !== '')
      .map((text) => JSON.parse(text) as ToldServer)
  return {
    path,
    told: () => eventually('a llama-server was started', async () => (await read()).at(-1)),
    starts: async () => (await read()).length,
    [Symbol.asyncDispose]: () => rm(dir, { recursive: true, force: true }),
  }
}

/** A pool of it; `model` is any reference. */
export const llamaPool = (
  server: FakeLlamaServer,
  id: string,
  model: string,
  more: object = {},
) => ({
  ...{ id, engine: 'llamacpp', model, slots: 2 },
  lifecycle: {
    ...{ binary_path: server.path, shutdown_grace_s: 1 },
    ...(more as { lifecycle?: object }).lifecycle,
  },
})
