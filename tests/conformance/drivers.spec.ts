import { kill } from 'node:process'
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals'
import type { EngineSpec } from '@berth/supervision'
import { findLlamaServer, until } from '@berth/test-support'
import { startBareEngine, type BareEngine } from './src/bare-engine.ts'

/** Engines start in every test of these, on a machine that may be busy. */
jest.setTimeout(30_000)

const SLOTS = 2
const base = {
  ...{ mode: 'managed', modelId: 'm1', slots: SLOTS, contextLength: 8_192, options: {} },
  shutdownGraceMs: 5_000,
} satisfies Omit<EngineSpec, 'engine'>
const simOf = (dialect: string): EngineSpec => {
  const options = { dialect, tokens_per_s: 400, load_ms: 200, cancel_poll_ms: 50 }
  return { ...base, engine: 'sim', options }
}
const llamaServer = findLlamaServer()

/** Every engine that the agent starts and this machine has. */
const ENGINES: readonly (readonly [string, EngineSpec | undefined])[] = [
  ['sim(vllm)', simOf('vllm')],
  ['sim(llamacpp)', simOf('llamacpp')],
  ['sim(ollama)', simOf('ollama')],
  ['embedded', { ...base, engine: 'embedded' }],
  [
    'llama-server',
    llamaServer === undefined
      ? undefined
      : { ...base, engine: 'llamacpp', binaryPath: llamaServer },
  ],
]

for (const [name, spec] of ENGINES) {
  if (spec === undefined) {
    describe.skip(`${name} (skipped: there is none)`, () => {
      it('keeps to what its driver says', () => undefined)
    })
    continue
  }

  describe(`${name}, started as its driver plans`, () => {
    let engine: BareEngine
    beforeAll(async () => {
      engine = await startBareEngine(spec)
    })
    afterAll(async () => engine[Symbol.asyncDispose]())
    const hello = (tokens: number) => ({
      ...{ model: 'm1', stream: true, max_tokens: tokens, ignore_eos: true },
      messages: [{ role: 'user', content: 'Hello' }],
    })
    const chat = (tokens: number, signal?: AbortSignal) =>
      engine.post('/v1/chat/completions', hello(tokens), signal)
    const untilRunning = (count: number) =>
      until(`it runs ${count}`, async () => ((await engine.metrics()).running ?? count) === count)

    it('[003-PR-7, 001-ORC-3, 003-FR-001] is not ready at once, and then ready with its model and its slots', async () => {
      const verdicts = (await engine.probeAll()).map(({ verdict }) => verdict)
      expect(verdicts.every((verdict) => verdict === 'healthy')).toBe(false)
      await engine.untilReady()
      const results = await engine.probeAll()
      const told = Object.assign({}, ...results) as Record<string, unknown>
      // Ollama adds a tag to a name that has none.
      expect(told['modelIds']).toContainEqual(expect.stringMatching(/^m1(:latest)?$/))
      expect([undefined, SLOTS]).toContain(told['slots'])
    })

    it('takes no other key than its own', async () => {
      const others = { authorization: 'Bearer another' }
      const results = await Promise.all(
        engine.access.readyProbes.map((probe) => engine.probe(probe, others)),
      )
      const isRefused = results.some(
        (result) => 'fact' in result && result.fact.includes('does not accept our key'),
      )
      // Ollama has no keys.
      expect(isRefused).toBe(name !== 'sim(ollama)')
    })

    it('counts what it runs, and its tokens when a request has ended', async () => {
      const before = await engine.metrics()
      await (await chat(20)).text()
      await until('its tokens are counted', async () => {
        const { generatedTokensTotal: now } = await engine.metrics()
        return now === undefined || now >= (before.generatedTokensTotal ?? 0) + 20
      })
      const after = await engine.metrics()
      expect(Object.keys(after).length > 0).toBe(engine.access.metricsPath !== undefined)
      await untilRunning(0)
    })

    it('stops working for a client that left a stream', async () => {
      const leaving = new AbortController()
      const answer = await chat(6_000, leaving.signal)
      const reader = answer.body!.getReader()
      await reader.read()
      await untilRunning(1)
      leaving.abort()
      await expect(reader.read()).rejects.toThrow()
      await untilRunning(0)
    })

    it('refuses what is no request with a status, and goes on', async () => {
      const answer = await engine.post('/v1/chat/completions', { model: 'm1', messages: 'none' })
      expect(answer.status).toBeGreaterThanOrEqual(400)
      expect(await answer.text()).toMatch(/error/)
      await engine.untilReady()
    })

    it('ends at SIGTERM, which reads as a stop, or as the signal', async () => {
      kill(engine.pid, 'SIGTERM')
      const exit = await engine.exited
      expect(['stopped', 'signal']).toContain(engine.driver.classify(engine.log(), exit).kind)
    })

    it('reads as killed when it was', async () => {
      await using other = await startBareEngine(spec)
      await other.untilReady()
      kill(other.pid, 'SIGKILL')
      const exit = await other.exited
      expect(exit).toEqual({ code: null, signal: 'SIGKILL' })
      expect(other.driver.classify(other.log(), exit)).toMatchObject({
        kind: 'signal',
        isRetriable: true,
      })
    })
  })
}
