import type { DialectLines } from './dialect.ts'

export const OLLAMA_OOM = 'llama-server process has terminated: cudaMalloc failed: out of memory'
export const OLLAMA_BROKEN = 'llama-server process has terminated: error loading model'

const GIB = 1024 ** 3
const line = (level: string, source: string, text: string): string =>
  `time=${new Date().toISOString()} level=${level} source=${source} ${text}`

/** Milestones and last words of `ollama serve`, shortened to what tells its state. */
export const ollamaLines: DialectLines = {
  stream: 'err',
  starting: () => [line('INFO', 'routes.go:1554', 'msg="server config"')],
  loaded: ({ knobs, port }) => [
    line('INFO', 'routes.go:1607', `msg="Listening on ${knobs.host}:${port} (version 0.13.5)"`),
    line(
      'INFO',
      'types.go:42',
      `msg="inference compute" library=CUDA total="${(knobs.vramBytes / GIB).toFixed(1)} GiB"`,
    ),
  ],
  oom: () => [
    line('ERROR', 'sched.go:470', `msg="error loading llama server" error="${OLLAMA_OOM}"`),
  ],
  crash: [
    'panic: runtime error: invalid memory address or nil pointer dereference',
    'goroutine 1:',
  ],
  portTaken: ({ knobs }, port) => [
    `Error: listen tcp ${knobs.host}:${port}: bind: address already in use`,
  ],
}
