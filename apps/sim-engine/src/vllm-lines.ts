import type { DialectLines } from './dialect.ts'
import type { Engine } from './engine.ts'

const VLLM_VERSION = '0.13.0'

/** The version it says it has. */
export const vllmVersionOf = ({ host }: Pick<Engine, 'host'>): string =>
  host.version ?? VLLM_VERSION

const GIB = 1024 ** 3
const gib = (bytes: number): string => (bytes / GIB).toFixed(2)
const info = (engine: Engine, text: string): string =>
  `(APIServer pid=${engine.host.pid}) INFO ${text}`

/** Milestones and last words of vLLM, shortened to what tells its state. */
export const vllmLines: DialectLines = {
  stream: 'out',
  starting: (engine) => [
    info(engine, `[api_server.py:1351] vLLM API server version ${vllmVersionOf(engine)}`),
    info(engine, `[utils.py:253] non-default args: {'model': '${engine.knobs.model}'}`),
    info(engine, '[__init__.py:216] Automatically detected platform cuda.'),
    'Loading safetensors checkpoint shards:   0% Completed | 0/1',
  ],
  loaded: (engine) => [
    'Loading safetensors checkpoint shards: 100% Completed | 1/1',
    info(engine, `Model loading took ${gib(engine.knobs.vramBytes)} GiB memory and 1.0 seconds`),
    info(engine, `GPU KV cache size: ${engine.knobs.ctx * engine.knobs.slots} tokens`),
    info(
      engine,
      `Maximum concurrency for ${engine.knobs.ctx} tokens per request: ${engine.knobs.slots}.00x`,
    ),
    info(engine, 'Graph capturing finished in 1 secs, took 0.01 GiB'),
    info(engine, `Starting vLLM API server 0 on http://${engine.knobs.host}:${engine.port}`),
    'INFO:     Application startup complete.',
  ],
  oom: (engine) => [
    '(EngineCore_DP0 pid=0) ERROR [core.py:866] EngineCore failed to start.',
    'torch.OutOfMemoryError: CUDA out of memory. Tried to allocate ' +
      `${gib(engine.knobs.vramBytes)} GiB. GPU 0 has a total capacity of 15.99 GiB of which ` +
      '0.12 GiB is free.',
    'RuntimeError: Engine core initialization failed. See root cause above. ' +
      'Failed core proc(s): {}',
  ],
  crash: [
    '(APIServer) ERROR [async_llm.py:544] AsyncLLM output_handler failed.',
    'vllm.v1.engine.exceptions.EngineDeadError: EngineCore encountered an issue. ' +
      'See stack trace (above) for the root cause.',
  ],
  portTaken: (_engine, port) => [
    'OSError: [Errno 98] Address already in use',
    `[Errno 98] error while attempting to bind on address port ${port}: address already in use`,
  ],
}
