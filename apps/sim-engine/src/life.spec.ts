import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { connect, createServer, type AddressInfo } from 'node:net'
import { afterEach, describe, expect, it } from '@jest/globals'
import { ask, chat, open, readUntilCut, stateOf, turn } from './testing/ask.ts'
import { eventually } from './testing/eventually.ts'
import { freePort, isAlive, startSim, stopAllSims } from './testing/sim-process.ts'

const CHAT = '/v1/chat/completions'
const LONG_MS = '3600000'

const procFile = (pid: number, name: string): string => readFileSync(`/proc/${pid}/${name}`, 'utf8')

/** Bit 14 of the mask is signal 15 (proc(5)). */
const ignoresSigterm = (pid: number): boolean => {
  const mask = /^SigIgn:\s*(\S+)/m.exec(procFile(pid, 'status'))?.[1] ?? '0'
  return (BigInt(`0x${mask}`) & (1n << 14n)) !== 0n
}

/** Nobody else takes ports of this one meanwhile. */
const ALONE = '127.0.0.5'

const isRefused = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect(port, ALONE)
    socket.once('connect', () => {
      socket.destroy()
      resolve(false)
    })
    socket.once('error', () => resolve(true))
  })

afterEach(stopAllSims)

describe('while loading', () => {
  it('vLLM refuses connections, and listens when it is ready', async () => {
    const port = await freePort()
    const where = ['--host', ALONE, '--port', String(port)]
    const sim = startSim('--dialect', 'vllm', ...where, '--never-ready')
    await eventually('loading', () => sim.output().includes('Loading safetensors'))
    expect(await isRefused(port)).toBe(true)
    const ready = startSim('--dialect', 'vllm')
    expect((await ask(await ready.listening(), '/health')).status).toBe(200)
    await eventually('milestones', () => ready.output().includes('Application startup complete.'))
    expect(ready.output()).toContain('Model loading took 1.00 GiB')
  })

  it('llama.cpp answers 503 on every route, before it looks at a key', async () => {
    const sim = startSim('--dialect', 'llamacpp', '--load-ms', LONG_MS, '--api-key', 'k')
    const port = await sim.listening()
    for (const path of ['/health', '/v1/models', '/slots', '/metrics', '/props', '/nope']) {
      expect(await ask(port, path)).toMatchObject({
        status: 503,
        json: { error: { message: 'Loading model', type: 'unavailable_error', code: 503 } },
      })
    }
  })

  it('llama.cpp becomes ready when never_ready is turned off', async () => {
    const sim = startSim('--dialect', 'llamacpp', '--never-ready')
    const port = await sim.listening()
    expect((await ask(port, '/health')).status).toBe(503)
    await turn(port, { never_ready: false })
    await eventually('ready', async () => (await ask(port, '/health')).status === 200)
    expect(sim.output()).toContain(`listening on http://127.0.0.1:${port}`)
  })

  it('Ollama is up at once, and the request that loads waits', async () => {
    const sim = startSim('--dialect', 'ollama', '--model', 'm1', '--never-ready')
    const port = await sim.listening()
    expect((await ask(port, '/api/version')).status).toBe(200)
    const loading = ask(port, CHAT, chat('x'))
    await turn(port, { never_ready: false })
    expect((await loading).status).toBe(200)
    expect((await ask(port, '/api/ps')).json.models).toHaveLength(1)
  })
})

describe('SIGTERM', () => {
  it('vLLM aborts what runs at once and exits 0', async () => {
    const sim = startSim('--model', 'm1', '--tokens-per-s', '20')
    const stream = await open(await sim.listening(), CHAT, chat('x', { stream: true }))
    await once(stream, 'data')
    sim.child.kill('SIGTERM')
    expect((await readUntilCut(stream)).wasCut).toBe(true)
    expect(await sim.exited).toEqual({ code: 0, signal: null })
  })

  it('vLLM finishes what runs within --shutdown-timeout', async () => {
    const sim = startSim('--model', 'm1', '--tokens-per-s', '100', '--shutdown-timeout', '60')
    const port = await sim.listening()
    const stream = await open(port, CHAT, chat('x', { stream: true, max_tokens: 20 }))
    await once(stream, 'data')
    sim.child.kill('SIGTERM')
    const { text, wasCut } = await readUntilCut(stream)
    expect(wasCut).toBe(false)
    expect(text).toContain('[DONE]')
    expect((await sim.exited).code).toBe(0)
  })

  it('vLLM exits 1 when it comes during the load', async () => {
    const sim = startSim('--load-ms', LONG_MS)
    await eventually('loading', () => sim.output().includes('Loading safetensors'))
    sim.child.kill('SIGTERM')
    expect(await sim.exited).toEqual({ code: 1, signal: null })
  })

  it('llama.cpp stays with a running stream, silent, until its client leaves', async () => {
    const pace = ['--model', 'm1', '--tokens-per-s', '50']
    const control = await startSim(...pace).listening()
    const sim = startSim('--dialect', 'llamacpp', ...pace)
    const port = await sim.listening()
    await eventually('ready', async () => (await ask(port, '/health')).status === 200)
    const long = chat('x', { stream: true, max_tokens: 20 })
    const stream = await open(port, CHAT, long)
    const received = readUntilCut(stream)
    await once(stream, 'data')
    sim.child.kill('SIGTERM')
    await eventually('closed', () => isRefused(port))
    // Another engine answers the same in full meanwhile, so this one had the time.
    expect((await ask(control, CHAT, long)).text).toContain('[DONE]')
    expect(isAlive(sim.pid)).toBe(true)
    stream.destroy()
    expect((await received).text).not.toContain('[DONE]')
    expect(await sim.exited).toEqual({ code: 0, signal: null })
  })

  it('llama.cpp exits 1 at the second one', async () => {
    const sim = startSim('--dialect', 'llamacpp', '--model', 'm1', '--hang')
    const port = await sim.listening()
    await eventually('ready', async () => (await ask(port, '/health')).status === 200)
    void ask(port, CHAT, chat('x')).catch(() => undefined)
    await eventually('running', async () => (await stateOf(port)).counters.running === 1)
    sim.child.kill('SIGTERM')
    await eventually('first', () => sim.output().includes('cleaning up before exit'))
    sim.child.kill('SIGTERM')
    expect(await sim.exited).toEqual({ code: 1, signal: null })
    expect(sim.output()).toContain('Received second interrupt')
  })

  it('llama.cpp dies of the signal when it comes during the load', async () => {
    const sim = startSim('--dialect', 'llamacpp', '--load-ms', LONG_MS)
    await sim.listening()
    sim.child.kill('SIGTERM')
    expect(await sim.exited).toEqual({ code: null, signal: 'SIGTERM' })
  })

  it('Ollama drops what runs and exits 0', async () => {
    const sim = startSim('--dialect', 'ollama', '--model', 'm1', '--tokens-per-s', '20')
    const stream = await open(await sim.listening(), CHAT, chat('x', { stream: true }))
    sim.child.kill('SIGTERM')
    expect((await readUntilCut(stream)).wasCut).toBe(true)
    expect(await sim.exited).toEqual({ code: 0, signal: null })
  })

  it('does nothing to an engine that ignores it', async () => {
    const sim = startSim('--ignore-sigterm')
    const port = await sim.listening()
    sim.child.kill('SIGTERM')
    expect((await ask(port, '/health')).status).toBe(200)
    sim.child.kill('SIGKILL')
    expect(await sim.exited).toEqual({ code: null, signal: 'SIGKILL' })
  })
})

describe('ways to die', () => {
  it('exits with a code at start', async () => {
    expect(await startSim('--exit-code', '42').exited).toEqual({ code: 42, signal: null })
  })

  it('exits with a code later', async () => {
    const sim = startSim('--exit-code', '0', '--exit-after-ms', '50')
    expect(await sim.exited).toEqual({ code: 0, signal: null })
    expect(sim.output()).toContain('Application startup complete.')
  })

  it.each([
    ['vllm', 'torch.OutOfMemoryError: CUDA out of memory'],
    ['llamacpp', 'cudaMalloc failed: out of memory'],
  ])('%s prints its out-of-memory text and exits 1', async (dialect, text) => {
    const sim = startSim('--dialect', dialect, '--oom')
    expect(await sim.exited).toEqual({ code: 1, signal: null })
    expect(sim.output()).toContain(text)
  })

  it('runs out of memory while it serves', async () => {
    const sim = startSim()
    await turn(await sim.listening(), { oom: true })
    expect((await sim.exited).code).toBe(1)
  })

  it('crashes after N requests, when the last of them has its answer', async () => {
    const sim = startSim('--model', 'm1', '--crash-after-requests', '2')
    const port = await sim.listening()
    expect((await ask(port, CHAT, chat('a'))).status).toBe(200)
    expect((await ask(port, CHAT, chat('b'))).status).toBe(200)
    expect((await sim.exited).code).toBe(1)
  })

  it('crashes after a time, by flag and by knob', async () => {
    expect((await startSim('--crash-after-ms', '50').exited).code).toBe(1)
    const sim = startSim()
    await turn(await sim.listening(), { crash_after_ms: 1 })
    expect((await sim.exited).code).toBe(1)
  })

  it.each([
    ['vllm', '[Errno 98] Address already in use'],
    ['llamacpp', "couldn't bind HTTP server socket"],
    ['ollama', 'bind: address already in use'],
  ])('%s names a taken port and exits 1', async (dialect, text) => {
    const holder = createServer().listen(0, '127.0.0.1')
    await once(holder, 'listening')
    const { port } = holder.address() as AddressInfo
    const sim = startSim('--dialect', dialect, '--port', String(port))
    expect(await sim.exited).toEqual({ code: 1, signal: null })
    expect(sim.output()).toContain(text)
    holder.close()
  })

  it('exits 2 and names every flag it does not know', async () => {
    const sim = startSim('--nope', '--slots', 'many')
    expect((await sim.exited).code).toBe(2)
    expect(sim.output()).toContain('error: unrecognized arguments: --nope')
  })
})

describe('other manners', () => {
  it('leaves an orphan that only a kill of the group ends', async () => {
    const sim = startSim('--orphan')
    const { orphan_pid: orphan } = await stateOf(await sim.listening())
    await eventually('the orphan is at work', () => procFile(orphan, 'comm') === 'sleep\n')
    sim.child.kill('SIGKILL')
    await sim.exited
    process.kill(-sim.pid, 'SIGTERM')
    expect(isAlive(orphan)).toBe(true)
    expect(ignoresSigterm(orphan)).toBe(true)
    process.kill(-sim.pid, 'SIGKILL')
    await eventually('the orphan is gone', () => !isAlive(orphan))
  })

  it('listens on another port than it was told', async () => {
    const asked = await freePort()
    const sim = startSim('--port', String(asked), '--wrong-port')
    expect(await sim.listening()).not.toBe(asked)
    expect(await isRefused(asked)).toBe(true)
  })

  it('answers /health late and everything else in time', async () => {
    const sim = startSim('--health-delay-ms', LONG_MS)
    const port = await sim.listening()
    let isAnswered = false
    void ask(port, '/health').then(
      () => (isAnswered = true),
      () => undefined,
    )
    expect((await ask(port, '/v1/models')).status).toBe(200)
    expect(isAnswered).toBe(false)
  })
})
