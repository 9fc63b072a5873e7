import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from '@jest/globals'
import { atRate, headOf, readTrace, toTrace } from './trace.ts'

const write = (name: string, text: string): string => {
  const path = join(mkdtempSync(join(tmpdir(), 'berth-trace-')), name)
  writeFileSync(path, text)
  return path
}

describe('a trace file', () => {
  it('of Mooncake is read with its blocks', () => {
    const lines = [
      '{"timestamp": 5, "input_length": 1100, "output_length": 7, "hash_ids": [0, 1, 2]}',
      '{"timestamp": 9, "input_length": 600, "output_length": 3, "hash_ids": [0, 9]}',
    ]
    const trace = readTrace(write('talks.jsonl', lines.join('\n')))
    expect(trace).toMatchObject({ name: 'talks', count: 2, blockTokens: 512 })
    expect(Array.from(trace.arrivalMs)).toEqual([0, 4])
    expect(Array.from(trace.blocks)).toEqual([0, 1, 2, 0, 9])
    expect(Array.from(trace.blockStart)).toEqual([0, 3, 5])
  })

  it('of Azure is read by its column names, to a fraction of a millisecond', () => {
    const lines = [
      'TIMESTAMP,ContextTokens,GeneratedTokens',
      '2023-11-16 18:15:46.6805900,374,44',
      '2023-11-16 18:15:50.9951690,396,109',
    ]
    const trace = readTrace(write('azure.csv', lines.join('\r\n')))
    expect(trace).toMatchObject({ count: 2, blockTokens: 0 })
    expect(trace.arrivalMs[1]).toBeCloseTo(4_314.579, 2)
    expect(Array.from(trace.outputTokens)).toEqual([44, 109])
  })
})

describe('conversations', () => {
  it('go on where the deepest shared block was, and the first block starts none', () => {
    const blocks = [
      [0, 1, 2],
      [0, 7],
      [0, 1, 2, 3],
      [0, 7, 8],
      [0, 1, 5],
    ]
    const rows = blocks.map((own, n) => ({
      ...{ arrivalMs: n, promptTokens: 9, outputTokens: 1, blocks: own },
    }))
    expect(Array.from(toTrace('talks', rows, 4).session)).toEqual([0, 1, 0, 1, 0])
  })
})

describe('pacing', () => {
  it('keeps the requests and changes the time between them', () => {
    const rows = [0, 100, 400].map((arrivalMs) => ({
      ...{ arrivalMs, promptTokens: 1, outputTokens: 1, blocks: [] },
    }))
    const trace = toTrace('three', rows, 0)
    expect(Array.from(atRate(trace, 10).arrivalMs)).toEqual([0, 50, 200])
    expect(headOf(trace, 2).count).toBe(2)
  })
})
