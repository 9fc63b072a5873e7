import { once } from 'node:events'
import { request } from 'node:http'
import { afterEach, describe, expect, it } from '@jest/globals'
import { chatPrompt, expectedText, promptHash } from '@berth/sim-text'
import { ask, chat, open, read, readUntilCut, stateOf, turn } from './testing/ask.ts'
import { eventually } from './testing/eventually.ts'
import { startSim, stopAllSims } from './testing/sim-process.ts'

const CHAT = '/v1/chat/completions'
const promptOf = (content: string) => chatPrompt([{ role: 'user', content }])

const startReady = async (...flags: readonly string[]): Promise<number> => {
  const port = await startSim('--model', 'm1', ...flags).listening()
  await eventually('ready', async () => {
    const path = flags.includes('ollama') ? '/api/version' : '/health'
    return (await ask(port, path)).status === 200
  })
  return port
}

const contentOf = async (port: number, body: unknown): Promise<string> =>
  (await ask(port, CHAT, body)).json.choices[0].message.content as string

afterEach(stopAllSims)

describe('an answer', () => {
  it('is the same from two engines with one seed and differs between seeds', async () => {
    const ports = await Promise.all(['1', '1', '2'].map((seed) => startReady('--seed', seed)))
    const texts = await Promise.all(ports.map((port) => contentOf(port, chat('same'))))
    expect(texts[1]).toBe(texts[0])
    expect(texts[2]).not.toBe(texts[0])
    expect(await contentOf(ports[0]!, chat('same', { seed: 5 }))).toBe(
      expectedText({ engineSeed: 1, requestSeed: 5, prompt: promptOf('same') }),
    )
  })

  it('runs to max_tokens with ignore_eos', async () => {
    const port = await startReady()
    const { json } = await ask(port, CHAT, chat('x', { max_tokens: 900, ignore_eos: true }))
    expect(json.usage.completion_tokens).toBe(900)
    expect(json.choices[0].finish_reason).toBe('length')
  })

  it('is in the state with who asked, what was planned and what was sent', async () => {
    const port = await startReady()
    const headers = { 'x-correlation-id': 'corr-1' }
    await ask(port, CHAT, chat('logged', { max_tokens: 3 }), { headers })
    const { requests, counters } = await stateOf(port)
    expect(requests).toEqual([
      {
        seq: 1,
        id: expect.stringMatching(/^[0-9a-f]{16}$/),
        correlation_id: 'corr-1',
        route: CHAT,
        model: 'm1',
        prompt_hash: promptHash(promptOf('logged')),
        seed: 0,
        stream: false,
        tokens_planned: 3,
        tokens_sent: 3,
        outcome: 'done',
      },
    ])
    expect(counters).toMatchObject({ requests: 1, done: 1, running: 0, tokens_sent: 3 })
  })
})

describe('slots', () => {
  it('let requests beyond them wait in arrival order', async () => {
    const port = await startReady('--slots', '1', '--hang', '--tokens-per-s', '50')
    const replies: Promise<unknown>[] = []
    const ended: string[] = []
    for (const [at, content] of ['a', 'b', 'c'].entries()) {
      const reply = ask(port, CHAT, chat(content, { max_tokens: 2 }))
      replies.push(reply.then(() => ended.push(content)))
      await eventually('arrived', async () => (await stateOf(port)).counters.requests === at + 1)
    }
    expect((await stateOf(port)).counters).toMatchObject({ running: 1, waiting: 2 })
    await turn(port, { hang: false })
    await Promise.all(replies)
    expect(ended).toEqual(['a', 'b', 'c'])
    expect((await stateOf(port)).counters).toMatchObject({ running: 0, waiting: 0, done: 3 })
  })

  it('made by a higher knob are given to who waits', async () => {
    const port = await startReady('--slots', '1', '--hang')
    const replies = ['a', 'b'].map((content) => ask(port, CHAT, chat(content)))
    await eventually('one waits', async () => (await stateOf(port)).counters.waiting === 1)
    await turn(port, { slots: 2 })
    await eventually('both run', async () => (await stateOf(port)).counters.running === 2)
    await turn(port, { hang: false })
    await Promise.all(replies)
  })
})

describe('a client that leaves', () => {
  it.each(['vllm', 'ollama'])('%s: frees the slot of a stream', async (dialect) => {
    const port = await startReady('--dialect', dialect, '--slots', '1', '--tokens-per-s', '20')
    const stream = await open(port, CHAT, chat('x', { stream: true }))
    await once(stream, 'data')
    stream.destroy()
    await turn(port, { tokens_per_s: 0 })
    expect((await ask(port, CHAT, chat('next'))).status).toBe(200)
    const [first] = (await stateOf(port)).requests
    expect(first.outcome).toBe('aborted')
    expect(first.tokens_sent).toBeLessThan(first.tokens_planned)
  })

  it.each(['vllm', 'ollama'])('%s: frees the slot of an answer in one piece', async (dialect) => {
    const port = await startReady('--dialect', dialect, '--slots', '1', '--hang')
    const outgoing = request({ host: '127.0.0.1', port, path: CHAT, method: 'POST' })
    outgoing.on('error', () => undefined)
    outgoing.end(JSON.stringify(chat('x')))
    await eventually('running', async () => (await stateOf(port)).counters.running === 1)
    outgoing.destroy()
    await eventually('free', async () => (await stateOf(port)).counters.running === 0)
    expect((await stateOf(port)).counters.aborted).toBe(1)
  })

  it('leaves the queue too', async () => {
    const port = await startReady('--slots', '1', '--hang')
    const kept = ask(port, CHAT, chat('kept'))
    await eventually('running', async () => (await stateOf(port)).counters.running === 1)
    const queued = await open(port, CHAT, chat('queued', { stream: true }))
    expect((await stateOf(port)).counters.waiting).toBe(1)
    queued.destroy()
    await eventually('left', async () => (await stateOf(port)).counters.waiting === 0)
    await turn(port, { hang: false })
    expect((await kept).status).toBe(200)
  })
})

describe('failures in the middle of an answer', () => {
  it('a hung engine is healthy, sends nothing, and goes on when it is freed', async () => {
    const port = await startReady('--hang')
    const reply = ask(port, CHAT, chat('x', { max_tokens: 4 }))
    await eventually('running', async () => (await stateOf(port)).counters.running === 1)
    expect((await ask(port, '/health')).status).toBe(200)
    expect((await stateOf(port)).counters.tokens_sent).toBe(0)
    await turn(port, { hang: false })
    expect((await reply).json.usage.completion_tokens).toBe(4)
  })

  it('cuts a stream after N tokens, without [DONE], and frees the slot', async () => {
    const port = await startReady('--drop-mid-stream-after', '3', '--slots', '1')
    const stream = await open(port, CHAT, chat('x', { stream: true }))
    const { text, wasCut } = await readUntilCut(stream)
    expect(wasCut).toBe(true)
    expect(text.match(/"content":"[^"]/g)).toHaveLength(3)
    expect(text).not.toContain('[DONE]')
    await eventually('dropped', async () => (await stateOf(port)).counters.dropped === 1)
    await turn(port, { drop_mid_stream_after: 0 })
    expect((await ask(port, CHAT, chat('x'))).status).toBe(200)
  })

  it('dies in the middle of a stream after N tokens of the process', async () => {
    const sim = startSim('--model', 'm1', '--crash-after-tokens', '5')
    const stream = await open(await sim.listening(), CHAT, chat('x', { stream: true }))
    const { text, wasCut } = await readUntilCut(stream)
    expect(wasCut).toBe(true)
    expect(text).not.toContain('[DONE]')
    expect(await sim.exited).toEqual({ code: 1, signal: null })
    expect(sim.output()).toContain('EngineDeadError')
  })

  it('answers every generation with error_status in the words of the dialect', async () => {
    const port = await startReady('--error-status', '500')
    const reply = await ask(port, CHAT, chat('x'))
    expect(reply.status).toBe(500)
    expect(reply.json.error.type).toBe('InternalServerError')
    expect((await ask(port, '/health')).status).toBe(200)
  })

  it('takes its time before the first token and between tokens', async () => {
    const port = await startReady('--first-token-ms', '3600000')
    const stream = await open(port, CHAT, chat('x', { stream: true }))
    expect((await stateOf(port)).requests[0]).toMatchObject({ outcome: 'running', tokens_sent: 0 })
    stream.destroy()
    await turn(port, { first_token_ms: 0, tokens_per_s: 200 })
    const begun = performance.now()
    const paced = await open(port, CHAT, chat('x', { stream: true, max_tokens: 11 }))
    expect(await read(paced)).toContain('[DONE]')
    // Ten intervals of 5 ms; a timer may fire a millisecond early.
    expect(performance.now() - begun).toBeGreaterThan(45)
  })
})

describe('knobs', () => {
  it('refuse what they do not know, what does not fit and what cannot change', async () => {
    const port = await startReady()
    const { status, json } = await turn(port, { tokens_per_s: 'fast', nope: 1, port: 80 })
    expect(status).toBe(400)
    expect(json.problems).toEqual([
      'tokens_per_s: "fast" does not fit',
      'nope: no such knob',
      'port: decided when the process starts',
    ])
  })
})
