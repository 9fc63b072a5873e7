import { mkdirSync, writeFileSync } from 'node:fs'
import { createServer, type AddressInfo } from 'node:net'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals'
import { createRunFolder, type RunFolder } from './src/berth-command.ts'

jest.setTimeout(60_000)

let folder: RunFolder
beforeEach(() => {
  folder = createRunFolder()
})
afterEach(async () => {
  await folder[Symbol.asyncDispose]()
})

describe('./berth up', () => {
  it('names the process that holds its port, and the flag that moves it', async () => {
    const server = createServer()
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const { port } = server.address() as AddressInfo
    const { code, stderr } = await folder.berth(['up', '--port', String(port)]).ended
    server.close()
    expect(stderr).toContain(`Port ${port} is taken: process ${process.pid} (`)
    expect(stderr).toContain('./berth up --port 8081')
    expect(code).toBe(1)
    expect(folder.processes()).toEqual([])
  })

  it('lists all that is wrong with a pools file, with paths, and exits as sysexits says', async () => {
    const pools = join(folder.path, 'mine.yaml')
    writeFileSync(
      pools,
      `host: local
pools:
  - { id: Not Good, engine: sim, model: a }
  - { id: b, engine: sim, model: a, slots: 0 }
  - { id: c, engine: sim, model: a, colour: red }
`,
    )
    const { code, stderr } = await folder.berth(['up', '--pools', pools, '--port', '0']).ended
    expect(stderr).toContain('has 3 problems')
    expect(stderr).toContain('pools[0].id: ')
    expect(stderr).toContain('pools[1].slots: ')
    expect(stderr).toContain('pools[2].colour: ')
    expect(code).toBe(78)
    expect(folder.processes()).toEqual([])
  })

  it('lists what is wrong with a pools file now, not before, however much it is', async () => {
    const pools = join(folder.path, 'mine.yaml')
    const up = () => folder.berth(['up', '--pools', pools, '--port', '0']).ended
    const entry = (id: number) => `  - { id: p${id}, engine: sim, model: a, slots: 0 }\n`
    writeFileSync(pools, 'host: local\npools:\n  - { id: a, engine: sim, colour: red }\n')
    await up()
    writeFileSync(
      pools,
      `host: local\npools:\n${Array.from({ length: 20 }, (_, i) => entry(i)).join('')}`,
    )
    const { stderr } = await up()
    expect(stderr).not.toContain('colour')
    expect(stderr).toContain('pools[0].slots: ')
    expect(stderr).toContain('pools[19].slots: ')
  })

  it('says how to get nats-server where it finds none and cannot install it', async () => {
    const empty = join(folder.path, 'empty')
    mkdirSync(empty)
    // Node has to be found by the script; everything else is looked for in one empty folder.
    const env = { PATH: `${dirname(process.execPath)}:/usr/bin:/bin`, BERTH_PROGRAM_PATH: empty }
    const up = folder.berth(['up', '--engine', 'sim', '--port', '0'], { env })
    const { code, stderr } = await up.ended
    expect(stderr).toContain('There is no nats-server on this machine')
    expect(stderr).toContain('apt-get install nats-server')
    expect(code).toBe(5)
  })

  it('refuses a model file that is not there before it starts anything', async () => {
    const up = folder.berth(['up', '--model', 'missing.gguf', '--port', '0'], { cwd: folder.path })
    const { code, stderr, stdout } = await up.ended
    expect(stderr).toContain(`There is no model file ${join(folder.path, 'missing.gguf')}`)
    expect(stdout).toBe('')
    expect(code).toBe(78)
  })

  it('refuses a pools file that is not there', async () => {
    const { code, stderr } = await folder.berth(['up', '--pools', '/nowhere.yaml']).ended
    expect(stderr).toContain('There is no pools file /nowhere.yaml')
    expect(code).toBe(78)
  })

  it('refuses an engine it does not know and names those it does', async () => {
    const { code, stderr } = await folder.berth(['up', '--engine', 'abacus', '--port', '0']).ended
    expect(stderr).toContain('There is no engine called abacus.')
    expect(stderr).toContain('embedded, llamacpp, ollama, vllm, openai, sim')
    expect(code).toBe(2)
  })

  it('says at once what a model needs that no engine of this machine reads', async () => {
    const env = { BERTH_PROGRAM_PATH: folder.path }
    const up = ['up', '--port', '0', '--model']
    const safetensors = await folder.berth([...up, 'hf:Qwen/Qwen3-8B'], { env }).ended
    expect(safetensors.stderr).toContain('no vllm is on PATH.\n→ Install vLLM on this host, or')
    expect(safetensors.code).toBe(5)
    const file = await folder.berth([...up, 'gone.gguf'], { env }).ended
    expect(file.stderr).toMatch(/There is no model file \/.*gone\.gguf\.\n→ Name a GGUF file, or/)
    expect(file.code).toBe(78)
  })

  it('refuses a port that is none', async () => {
    const { code, stderr } = await folder.berth(['up', '--port', '70000']).ended
    expect(stderr).toContain('Expected a number from 0 to 65535')
    expect(code).toBe(2)
  })
})

describe('without a fleet', () => {
  it('status says how to start one', async () => {
    const { code, stdout } = await folder.berth(['status']).ended
    expect(stdout).toBe('No fleet is running. Start one: ./berth up\n')
    expect(code).toBe(4)
    const asJson = await folder.berth(['status', '--json']).ended
    expect(JSON.parse(asJson.stdout)).toEqual({ running: false, phase: 'stopped' })
  })

  it('down has nothing to do and is content', async () => {
    const { code, stdout } = await folder.berth(['down']).ended
    expect(stdout).toBe('Nothing is running here.\n')
    expect(code).toBe(0)
  })

  it('chat says that no gateway answers, and what to do', async () => {
    const chat = folder.berth(['chat', 'hello', '--url', 'http://127.0.0.1:1'])
    const { code, stderr } = await chat.ended
    expect(stderr).toContain('No gateway answers at http://127.0.0.1:1.')
    expect(stderr).toContain('./berth up')
    expect(code).toBe(4)
  })
})
