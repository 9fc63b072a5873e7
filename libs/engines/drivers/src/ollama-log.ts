import type { LogSign } from '@berth/supervision'

type Memory = Extract<LogSign, { readonly kind: 'memory' }>

/**
 * Of the llama.cpp that a model runs in: `load_tensors: CUDA0 model buffer size = 4097.52 MiB`;
 * older ones leave out `model` (both as recorded).
 */
const BUFFER =
  /^\w+:\s+(\S{1,64})\s+(?:(model|KV|compute|output|RS)\s+)?buffer size\s*=\s*([\d.]{1,20}) MiB/
const USES: Readonly<Record<string, Memory['use']>> = {
  model: 'weights',
  KV: 'kv',
  compute: 'compute',
  output: 'output',
  RS: 'recurrent',
}
const MIB = 1024 ** 2
/** No recorded line that tells something is longer. */
const READ_CHARS = 2_000

const LOADING = 'msg="waiting for server to become available" status="llm server loading model"'
const CPU_ONLY = /msg="inference compute" id=cpu library=cpu/

/** What a line of `ollama serve`, or of a model's runner behind it, tells. */
export const readOllamaLog = (whole: string): LogSign | undefined => {
  const line = whole.slice(0, READ_CHARS)
  const buffer = BUFFER.exec(line)
  if (buffer) {
    const [, device = '', use = 'model', mib = ''] = buffer
    const bytes = Math.round(Number(mib) * MIB)
    if (Number.isSafeInteger(bytes))
      return { kind: 'memory', device, use: USES[use] ?? 'weights', bytes }
  }
  if (line.includes(LOADING)) return { kind: 'phase', phase: 'load' }
  return CPU_ONLY.test(line)
    ? { kind: 'gpu_missing', fact: 'Ollama found no GPU: it offers the CPU alone' }
    : undefined
}
