import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals'
import { createRunFolder, root, type RunFolder } from './src/berth-command.ts'

// Real processes on a machine that may be busy.
jest.setTimeout(120_000)

let folder: RunFolder
let daemon: ChildProcess | undefined
beforeEach(() => {
  folder = createRunFolder()
})
afterEach(async () => {
  await folder[Symbol.asyncDispose]()
  const ended = daemon && daemon.exitCode === null ? once(daemon, 'exit') : undefined
  daemon?.kill('SIGKILL')
  await ended
  daemon = undefined
})

/** A process that answers as Ollama does, with one model; where it listens. */
const startOllama = async (model: string): Promise<string> => {
  const program = join(root, 'dist/sim-engine.js')
  const flags = ['--dialect', 'ollama', '--port', '0', '--model', model]
  daemon = spawn(process.execPath, [program, ...flags], { stdio: ['ignore', 'pipe', 'ignore'] })
  for await (const line of createInterface({ input: daemon.stdout! })) {
    const port = /"sim":"listening","port":(\d+)/.exec(line)?.[1]
    if (port !== undefined) return `127.0.0.1:${port}`
  }
  throw new Error('The engine ended before it listened.')
}

describe('./berth up', () => {
  it('watches an Ollama that answers, says why, and leaves it running', async () => {
    const host = await startOllama('llama3.2:3b')
    const up = folder.berth(['up', '--port', '0'], { env: { OLLAMA_HOST: host } })
    await up.saw('pools ready')
    expect(up.output()).toMatch(/✓ Engine: ollama \(Ollama [\d.]+ answers at http:/)
    expect(up.output()).toContain(`answers at http://${host} and has llama3.2:3b)`)
    expect(up.output()).toMatch(/you: {3}Say hello\.\n {2}llama3\.2:3b: \S+/)
    expect(readFileSync(join(folder.path, 'pools.yaml'), 'utf8')).toContain('mode: monitored')
    const { stdout } = await folder.berth(['models', 'ls', '--json']).ended
    expect(JSON.parse(stdout)).toMatchObject({
      models: [{ model_id: 'llama3.2:3b', engine: 'ollama', residency: 'resident' }],
    })
    up.signal('SIGINT')
    expect((await up.ended).code).toBe(0)
    expect((await fetch(`http://${host}/api/version`)).status).toBe(200)
  })

  it('takes what a reference names before what is there', async () => {
    const host = await startOllama('llama3.2:3b')
    const model = join(root, '.berth/models/berth-tiny.gguf')
    const env = { OLLAMA_HOST: host }
    const up = folder.berth(['up', '--port', '0', '--model', `file:${model}`], { env })
    await up.saw('pools ready')
    expect(up.output()).toMatch(/✓ Engine: (embedded|llamacpp) \(/)
    expect(up.output()).toMatch(/\n {2}berth-tiny: /)
  })
})
