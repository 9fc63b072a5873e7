import { createEngine } from '../engine.ts'
import { createHttp } from '../http-server.ts'
import { live } from '../life.ts'
import { ollamaDialect } from '../ollama-dialect.ts'
import { OLLAMA_VERSION } from '../ollama-library.ts'
import { storeIn } from '../ollama-store.ts'
import { processHost } from '../process-host.ts'
import { createRequestLog, LOG_CAPACITY } from '../request-log.ts'
import { readServe } from './read-serve.ts'

// `ollama serve` as a program: everything it is told comes by environment, as with the real one.
const [worldPath = '', command = ''] = process.argv.slice(2)
const own = processHost()
if (command === '--version' || command === '-v') {
  own.out(`ollama version is ${OLLAMA_VERSION}`)
} else if (command !== 'serve') {
  own.err(`Error: unknown command "${command}" for "ollama"`)
  own.exit(1)
} else {
  const { knobs, told, modelsDir } = readServe(worldPath, process.env)
  const engine = createEngine({ ...own, told }, knobs, createRequestLog(LOG_CAPACITY))
  const dialect = ollamaDialect(engine, storeIn(modelsDir))
  await live(engine, dialect, createHttp(engine, dialect))
}
