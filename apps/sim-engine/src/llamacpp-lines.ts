import type { DialectLines } from './dialect.ts'

const MIB = 1024 ** 2

/** Milestones and last words of llama-server, shortened to what tells its state. */
export const llamacppLines: DialectLines = {
  stream: 'err',
  starting: ({ knobs }) => [
    '0.00.000.100 I srv  llama_server: initializing ...',
    `0.00.001.000 I srv    load_model: loading model '${knobs.model}'`,
  ],
  loaded: ({ knobs, port }) => [
    `0.00.002.000 I load_tensors:        CUDA0 model buffer size = ${mib(knobs.vramBytes)} MiB`,
    `0.00.003.000 I srv    load_model: initializing, n_slots = ${knobs.slots}, ` +
      `n_ctx_slot = ${knobs.ctx}, kv_unified = 'false'`,
    '0.00.004.000 I srv  llama_server: model loaded',
    `0.00.005.000 I srv  llama_server: listening on http://${knobs.host}:${port}`,
  ],
  oom: ({ knobs }) => [
    '0.00.002.000 E ggml_backend_cuda_buffer_type_alloc_buffer: allocating ' +
      `${mib(knobs.vramBytes)} MiB on device 0: cudaMalloc failed: out of memory`,
    `0.00.002.100 E alloc_tensor_range: failed to allocate CUDA0 buffer of size ${knobs.vramBytes}`,
    '0.00.002.200 E llama_model_load: error loading model: unable to allocate CUDA0 buffer',
    '0.00.002.300 E srv  llama_server: exiting due to model loading error',
  ],
  crash: ['CUDA error: an illegal memory access was encountered', 'GGML_ASSERT(false) failed'],
  portTaken: ({ knobs }, port) => [
    `0.00.000.500 E srv         start: couldn't bind HTTP server socket, ` +
      `hostname: ${knobs.host}, port: ${port}`,
    '0.00.000.600 E srv  llama_server: exiting due to HTTP server error',
  ],
}

const mib = (bytes: number): string => (bytes / MIB).toFixed(2)
