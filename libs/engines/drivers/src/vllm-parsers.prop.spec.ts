import { readFileSync, readdirSync } from 'node:fs'
import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import { engineSpec } from './testing/engine-spec.ts'
import { vllmDriver } from './vllm-driver.ts'

const FOLDER = new URL('../fixtures/vllm/', import.meta.url)
const recorded = readdirSync(FOLDER)
  .filter((name) => name.endsWith('.log') || name.endsWith('.txt'))
  .flatMap((name) => readFileSync(new URL(name, FOLDER), 'utf8').split('\n'))
const calls = vllmDriver.modelCalls!(engineSpec('vllm', { options: { enable_lora: true } }))!

/** Lines of recordings, cut, joined and soiled. */
const anyLine = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 300 }),
  fc
    .tuple(fc.constantFrom(...recorded), fc.nat(200), fc.string({ maxLength: 20 }))
    .map(([line, at, soil]) => line.slice(0, at) + soil + line.slice(at)),
  fc.tuple(fc.constantFrom(...recorded), fc.constantFrom(...recorded)).map((two) => two.join('\r')),
)

describe('whatever a vLLM prints, reading it', () => {
  it('never throws, and tells only what can be', () => {
    fc.assert(
      fc.property(anyLine, (line) => {
        const sign = vllmDriver.readLog!(line)
        const { percent = 0, bytes = 0, tokens = 0 } = { ...sign } as Record<string, number>
        expect(percent >= 0 && percent <= 100).toBe(true)
        expect(Number.isSafeInteger(bytes) && bytes >= 0).toBe(true)
        expect(Number.isFinite(tokens) && tokens >= 0).toBe(true)
      }),
      { numRuns: 1_000 },
    )
  })

  it('tells no memory and no room that no machine has', () => {
    const digits = '9'.repeat(400)
    for (const line of [
      `Model loading took ${digits} GiB`,
      `Available KV cache memory: ${digits}.0 GiB`,
      `GPU KV cache size: ${digits} tokens`,
      `GPU KV cache size: ${digits.slice(0, 20)} tokens`,
    ])
      expect([line, vllmDriver.readLog!(line)]).toEqual([line, undefined])
  })

  it('never throws at its end, and always gives a next step', () => {
    const exits = [
      { code: 1, signal: null },
      { code: null, signal: 'SIGSEGV' },
      { code: null, signal: null },
    ]
    fc.assert(
      fc.property(fc.array(anyLine, { maxLength: 40 }), fc.constantFrom(...exits), (tail, exit) => {
        const { kind, message } = vllmDriver.classify(tail, exit)
        expect(kind).not.toBe('')
        expect(message.length).toBeLessThan(1_200)
      }),
    )
  })

  it.each([
    ['digits', `Model loading took ${'9'.repeat(1_000_000)} GiB`],
    ['names', `${'a'.repeat(1_000_000)}.safetensors:`],
    ['drawings', 'Capturing CUDA graphs:   1%|\r'.repeat(50_000)],
    ['colours', '\u001b[1;36m'.repeat(200_000)],
    ['slashes', `huggingface.co/${'a/'.repeat(500_000)} 404 Client Error`],
    ['brackets', `Free memory on device (${'('.repeat(500_000)} is less than desired`],
  ])('does not go astray in a line of a million %s', (_what, line) => {
    // What backtracks would not come to an end.
    expect(vllmDriver.readLog!(line)?.kind).not.toBe('gpu_missing')
    const report = vllmDriver.classify([line, line, line], { code: 1, signal: null })
    expect(report.message.length).toBeLessThan(1_200)
  })

  it('never throws at an answer', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.json()), fc.nat(600), (body, status) => {
        calls.readResident(body)
        const sign = calls.readLine(body, status)
        expect(sign === undefined || sign.kind === 'done' || sign.kind === 'failed').toBe(true)
      }),
    )
  })
})
