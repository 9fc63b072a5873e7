import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals'
import { createRunFolder, isListening, type RunFolder } from './src/berth-command.ts'

jest.setTimeout(60_000)

const STOP_LIMIT_MS = 10_000

let folder: RunFolder
beforeEach(() => {
  folder = createRunFolder()
})
afterEach(async () => {
  await folder[Symbol.asyncDispose]()
})

/** Lines of `up` after which the interrupt comes, and how it then ends. */
const MOMENTS = [
  ['Starting nats', 130],
  ['Starting orchestrator-core', 130],
  ['Starting pool-managerd', 130],
  ['Starting orchestratord', 130],
  ['Loading the model', 130],
  // Whoever stops a fleet that runs has got what they wanted.
  ['pools ready', 0],
] as const

const SIGNALS = ['SIGINT', 'SIGTERM'] as const
const CASES = MOMENTS.flatMap(([moment, code]) =>
  SIGNALS.map((signal) => [moment, signal, code] as const),
)

/** A pools file with one simulated engine that has these knobs. */
const simPool = (knobs: object): string[] => {
  const pool = { id: 'one', engine: 'sim', model: 'm', engine_options: knobs }
  const path = join(folder.path, 'mine.yaml')
  // JSON is YAML.
  writeFileSync(path, JSON.stringify({ host: 'local', pools: [pool] }))
  return ['--pools', path]
}

const interrupt = async (moment: string, signal: NodeJS.Signals, engine = ['--engine', 'sim']) => {
  const up = folder.berth(['up', '--port', '0', ...engine])
  await up.saw(moment)
  const ports = folder.ports()
  const began = performance.now()
  up.signal(signal)
  const { code } = await up.ended
  const stopMs = performance.now() - began
  return { code, stopMs, open: (await Promise.all(ports.map(isListening))).filter(Boolean) }
}

describe('an interrupt during ./berth up', () => {
  it.each(CASES)('after "%s" (%s) leaves no process and no port', async (moment, signal, code) => {
    const ended = await interrupt(moment, signal)
    expect(ended.code).toBe(code)
    expect(ended.stopMs).toBeLessThan(STOP_LIMIT_MS)
    expect(ended.open).toEqual([])
    expect(folder.processes()).toEqual([])
    expect(folder.state()).toBeUndefined()
  })

  it.each(SIGNALS)('at once (%s) leaves no process', async (signal) => {
    await interrupt('', signal)
    expect(folder.processes()).toEqual([])
    expect(folder.state()).toBeUndefined()
  })

  it.each([
    ['while the model loads', 'Loading the model ...', { load_ms: 600_000 }],
    ['during the first completion', 'First chat completion ...', { first_token_ms: 600_000 }],
    ['with an engine that ignores SIGTERM', 'pools ready', { ignore_sigterm: true }],
  ])('%s leaves no process and no port', async (_when, moment, knobs) => {
    const ended = await interrupt(moment, 'SIGINT', simPool(knobs))
    expect(ended.stopMs).toBeLessThan(STOP_LIMIT_MS)
    expect(ended.open).toEqual([])
    expect(folder.processes()).toEqual([])
  })

  it('with --detach before it is ready leaves nothing either', async () => {
    const up = folder.berth(['up', '--engine', 'sim', '--port', '0', '--detach'])
    await up.saw('Starting orchestrator-core')
    up.signal('SIGINT')
    expect((await up.ended).code).toBe(130)
    expect(folder.processes()).toEqual([])
  })
})
