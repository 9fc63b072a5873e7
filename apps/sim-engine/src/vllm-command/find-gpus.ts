import { execFileSync } from 'node:child_process'

type Env = Readonly<Record<string, string | undefined>>

/** A GPU as this process sees it. */
export interface VisibleGpu {
  readonly uuid: string
  readonly freeMib: number
  readonly totalMib: number
}

const QUERY = ['--query-gpu=uuid,memory.free,memory.total', '--format=csv,noheader,nounits']

/** The GPUs that `nvidia-smi` lists and the mask leaves; none without a driver. */
export const findGpus = (env: Env): readonly VisibleGpu[] => {
  const mask = env['CUDA_VISIBLE_DEVICES']
  const all = askTool(env).map((line): VisibleGpu => {
    const [uuid = '', free, total] = line.split(',').map((cell) => cell.trim())
    return { uuid, freeMib: Number(free), totalMib: Number(total) }
  })
  if (mask === undefined) return all
  return mask
    .split(',')
    .flatMap((id) => all.filter(({ uuid }, at) => uuid === id || String(at) === id))
}

const askTool = (env: Env): readonly string[] => {
  try {
    const text = execFileSync('nvidia-smi', QUERY, { env, encoding: 'utf8', timeout: 10_000 })
    return text.split('\n').filter((line) => line.startsWith('GPU-'))
  } catch {
    // No such tool, or its driver does not answer: that is a host without a GPU.
    return []
  }
}

const gib = (mib: number): string => (mib / 1_024).toFixed(2)

/** Last words of a vLLM that does not get its GPUs; `undefined` when it does. */
export const missGpus = (
  gpus: readonly VisibleGpu[],
  { world, share }: { readonly world: number; readonly share: number },
): readonly string[] | undefined => {
  if (gpus.length < world)
    return [
      `ValueError: World size (${world}) is larger than the number of available GPUs ` +
        `(${gpus.length}) in this node.`,
    ]
  const lines = gpus
    .slice(0, world)
    .flatMap(({ freeMib, totalMib }, at) =>
      freeMib >= share * totalMib
        ? []
        : [
            `ValueError: Free memory on device cuda:${at} (${gib(freeMib)}/${gib(totalMib)} GiB) on ` +
              `startup is less than desired GPU memory utilization (${share}, ` +
              `${gib(share * totalMib)} GiB). Decrease GPU memory utilization or reduce GPU memory ` +
              'used by other processes.',
          ],
    )
  return lines.length === 0 ? undefined : lines
}
