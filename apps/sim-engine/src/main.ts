import { knobsFromFlags } from '@berth/sim-text'
import type { EngineDialect } from './dialect.ts'
import { createEngine, type Engine } from './engine.ts'
import { spawnOrphan } from './failures.ts'
import { createHttp } from './http-server.ts'
import { live } from './life.ts'
import { llamacppDialect } from './llamacpp-dialect.ts'
import { ollamaDialect } from './ollama-dialect.ts'
import { processHost } from './process-host.ts'
import { createRequestLog, LOG_CAPACITY } from './request-log.ts'
import { vllmDialect } from './vllm-dialect.ts'

const DIALECT_OF: Record<string, (engine: Engine) => EngineDialect> = {
  vllm: vllmDialect,
  llamacpp: llamacppDialect,
  ollama: ollamaDialect,
}

const host = processHost()
const read = knobsFromFlags(process.argv.slice(2))
if (!read.ok) {
  for (const problem of read.problems) host.err(`error: ${problem}`)
  host.exit(2)
} else {
  // The agent mints a key per instance and passes it by environment, never by argv.
  const apiKey = read.knobs.apiKey || (process.env.BERTH_ENGINE_API_KEY ?? '')
  const engine = createEngine(host, { ...read.knobs, apiKey }, createRequestLog(LOG_CAPACITY))
  if (engine.knobs.hasOrphan) engine.orphanPid = spawnOrphan()
  if (engine.knobs.hasDaemon) engine.orphanPid = spawnOrphan(true)
  const dialect = DIALECT_OF[engine.knobs.dialect]!(engine)
  await live(engine, dialect, createHttp(engine, dialect))
}
