import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import type { Surroundings } from './engine-choice.ts'
import { findNewestGguf } from './find-gguf.ts'
import { findOllama } from './find-ollama.ts'
import { findProgram } from './find-program.ts'
import type { Paths } from './paths.ts'

/** Its name is what clients send as `model`. */
export const TINY_MODEL = 'berth-tiny.gguf'

type Env = Readonly<Record<string, string | undefined>>

/** What there is on this machine to run a model with. Starts and installs nothing. */
export const lookAround = async ({ modelsDir }: Paths, env: Env): Promise<Surroundings> => ({
  ollama: await findOllama(env),
  ollamaPath: findProgram('ollama', env),
  llamaServerPath: findProgram('llama-server', env),
  vllmPath: findProgram('vllm', env),
  keptModel: findNewestGguf(modelsDir, [TINY_MODEL]),
})

const TIMEOUT_MS = 5_000

/** The index of the first NVIDIA GPU; none where there is none, or its driver does not answer. */
export const firstGpu = async (env: Env): Promise<readonly string[]> => {
  const tool = findProgram('nvidia-smi', env)
  if (tool === undefined) return []
  const argv = ['--query-gpu=index', '--format=csv,noheader']
  try {
    const { stdout } = await promisify(execFile)(tool, argv, { timeout: TIMEOUT_MS })
    return stdout
      .split('\n')
      .slice(0, 1)
      .filter((line) => /^\d+$/.test(line.trim()))
  } catch {
    // A driver that is broken is told of by the agent, with what to do.
    return []
  }
}
