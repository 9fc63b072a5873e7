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

/** Lines after which the interrupt comes. The first is no line: the very start. */
const MOMENTS = [
  '',
  'Starting nats',
  'Starting orchestrator-core',
  'Starting pool-managerd',
  'Starting orchestratord',
  'Loading the model',
  'First chat completion',
  'pools ready',
]

const SIGNALS = ['SIGINT', 'SIGTERM'] as const
const CASES = MOMENTS.flatMap((moment) => SIGNALS.map((signal) => [moment, signal] as const))

describe('an interrupt during ./berth up', () => {
  it.each(CASES)('after "%s" (%s) leaves no process and no port', async (moment, signal) => {
    const up = folder.berth(['up', '--engine', 'sim', '--port', '0'])
    await up.saw(moment)
    const ports = folder.ports()
    const began = performance.now()
    up.signal(signal)
    const { code } = await up.ended
    expect(performance.now() - began).toBeLessThan(STOP_LIMIT_MS)
    expect([0, 130, 143]).toContain(code ?? 130)
    expect(folder.processes()).toEqual([])
    expect(await Promise.all(ports.map(isListening))).toEqual(ports.map(() => false))
    expect(folder.state()).toBeUndefined()
  })

  it('with --detach before it is ready leaves nothing either', async () => {
    const up = folder.berth(['up', '--engine', 'sim', '--port', '0', '--detach'])
    await up.saw('Starting orchestrator-core')
    up.signal('SIGINT')
    expect((await up.ended).code).toBe(130)
    expect(folder.processes()).toEqual([])
  })
})
