import { randomBytes, randomUUID } from 'node:crypto'
import { messageOf } from '@berth/kernel'
import { createCounters } from './counters.ts'
import { startEngineServer, type EngineServer } from './engine-server.ts'
import { readFlags } from './flags.ts'
import { loadEngine } from './load-engine.ts'
import { createSlots } from './slots.ts'

const log = (line: string): void => void process.stderr.write(`${line}\n`)

const start = async (): Promise<void> => {
  const options = readFlags(process.argv.slice(2), process.env)
  const server = await startEngineServer(options, log)
  stopOnSignal(server, options.shutdownGraceMs)
  log(`listening on http://${options.host}:${server.port}`)
  log(`loading model '${options.modelPath}'`)
  const engine = await loadEngine(options, log)
  let taskId = 0
  server.setReady({
    engine,
    slots: createSlots(engine.sequences, options.maxQueued),
    counters: createCounters(),
    now: () => performance.now(),
    randomSeed: () => randomBytes(4).readUInt32LE(),
    nextTaskId: () => (taskId += 1),
    identify: () => ({ id: randomUUID(), created: Math.floor(Date.now() / 1000) }),
  })
  log(`model loaded, slots: ${options.slots}, n_ctx: ${engine.contextTokens}`)
}

const stopOnSignal = (server: EngineServer, graceMs: number): void => {
  let isStopping = false
  const onSignal = (): void => {
    if (isStopping) process.exit(1)
    isStopping = true
    // The exit, not an empty event loop, ends the process: llama.cpp holds threads.
    void server.stop(graceMs).finally(() => process.exit(0))
  }
  process.on('SIGTERM', onSignal)
  process.on('SIGINT', onSignal)
}

start().catch((error: unknown) => {
  log(`error: ${messageOf(error)}`)
  process.exit(1)
})
