import { createServer as createProbe } from 'node:net'
import type { Server } from 'node:http'
import type { EngineDialect } from './dialect.ts'
import type { Engine } from './engine.ts'
import { armFailures, dieOfBrokenModel, dieOutOfMemory } from './failures.ts'
import { pause } from './pause.ts'

const NEVER = new AbortController().signal

/** From the first log line to ready, in the order of the engine it plays. */
export const live = async (
  engine: Engine,
  dialect: EngineDialect,
  server: Server,
): Promise<void> => {
  armFailures(engine, dialect)
  print(engine, dialect, dialect.lines.starting(engine))
  if (!dialect.diesOfSigtermWhileLoading) obeySignals(engine, dialect, server)
  if (dialect.whileLoading === 'refused') await claimPort(engine, dialect)
  else await listen(engine, dialect, server)
  if (dialect.whileLoading !== 'serving') await load(engine, dialect)
  if (dialect.whileLoading === 'refused') await listen(engine, dialect, server)
  dieOfBrokenModel(engine)
  engine.phase = 'ready'
  if (dialect.diesOfSigtermWhileLoading) obeySignals(engine, dialect, server)
  print(engine, dialect, dialect.lines.loaded(engine))
}

const load = async (engine: Engine, dialect: EngineDialect): Promise<void> => {
  await loadLoudly(engine)
  if (engine.knobs.isOom) dieOutOfMemory(engine, dialect)
  // A timer keeps the process alive: vLLM has no open port to do it.
  const alive = setInterval(() => undefined, 1 << 30)
  while (engine.knobs.isNeverReady) await engine.untilChange(NEVER)
  clearInterval(alive)
}

/** The time a load takes, with what an engine tells of it meanwhile. */
const loadLoudly = async ({ knobs, host }: Engine): Promise<void> => {
  const { loadMs, loadLineMs } = knobs
  const stepMs = loadLineMs > 0 ? loadLineMs : loadMs
  for (let doneMs = 0; doneMs < loadMs; doneMs += stepMs) {
    if (doneMs > 0) {
      const percent = Math.round((100 * doneMs) / loadMs)
      host.err(`Loading safetensors checkpoint shards: ${percent}% Completed`)
    }
    await pause(Math.min(stepMs, loadMs - doneMs), NEVER)
  }
}

const obeySignals = (engine: Engine, dialect: EngineDialect, server: Server): void => {
  let count = 0
  engine.host.onTerminate(() => {
    if (!engine.knobs.ignoresSigterm) dialect.onTerminate(++count, server)
  })
}

const print = (engine: Engine, dialect: EngineDialect, lines: readonly string[]): void => {
  for (const line of lines) engine.host[dialect.lines.stream](line)
}

/** The port asked for, or one of the system's choice for an engine on the wrong port. */
const portOf = ({ knobs }: Engine): number => (knobs.isOnWrongPort ? 0 : knobs.port)

const listen = (engine: Engine, dialect: EngineDialect, server: Server): Promise<void> =>
  new Promise((resolve) => {
    server.once('error', () => failToBind(engine, dialect))
    server.listen(portOf(engine), engine.knobs.host, () => {
      const address = server.address()
      engine.port = typeof address === 'object' && address !== null ? address.port : 0
      // For harnesses that ask for port 0: no engine says it this early and this plainly.
      engine.host.out(JSON.stringify({ sim: 'listening', port: engine.port }))
      resolve()
    })
  })

/** vLLM binds first and listens when ready: a taken port fails in the first second. */
const claimPort = (engine: Engine, dialect: EngineDialect): Promise<void> =>
  new Promise((resolve) => {
    if (portOf(engine) === 0) return resolve()
    const probe = createProbe((socket) => socket.destroy())
    probe.once('error', () => failToBind(engine, dialect))
    probe.listen(portOf(engine), engine.knobs.host, () => probe.close(() => resolve()))
  })

const failToBind = (engine: Engine, dialect: EngineDialect): never => {
  for (const line of dialect.lines.portTaken(engine, engine.knobs.port)) engine.host.err(line)
  return engine.host.exit(1)
}
