import { readdirSync } from 'node:fs'
import { cpuUsage } from 'node:process'
import { expect, it } from '@jest/globals'
import fc from 'fast-check'
import { readGpuProcesses } from './compute-apps.ts'
import { readGpuList } from './gpu-list.ts'
import { readBusId, readGpus, readUnknownField } from './gpu-query.ts'
import { readMigMemory } from './mig-memory.ts'
import { resolveMask } from './resolve-mask.ts'
import { readCards } from './rocm-smi.ts'
import { cpu, gpu, slice } from './testing/devices.ts'
import { fixture } from './testing/fixture.ts'
import { readToolFaults } from './tool-fault.ts'
import { readXid } from './xid.ts'

const names = readdirSync(new URL('../fixtures/', import.meta.url))
const texts = names.map(fixture)

/** Readers of answers, each of which gives a list. */
const READERS: Readonly<Record<string, (text: string) => readonly unknown[]>> = {
  readGpus: (text) => readGpus(text),
  readGpuList,
  readMigMemory,
  readGpuProcesses,
  readCards,
  readToolFaults: (text) => readToolFaults({ code: 1, text }),
  readXid: (text) => [readXid(text)],
  readBusId: (text) => [readBusId(text)],
  readUnknownField: (text) => [readUnknownField(text)],
}

/** Words that answers are made of, in any order and number. */
const word = fc.constantFrom(
  ...[
    'GPU 0: ',
    '(UUID: GPU-a)',
    '  MIG ',
    'Device  0: ',
    '[N/A]',
    ', ',
    '\n',
    ' ',
    '0',
    '<gpu id="a">',
  ],
  ...[
    '<uuid>GPU-a</uuid>',
    '<mig_device>',
    '</mig_device>',
    '<index>0',
    '</gpu>',
    '{"card0": {',
    '}}',
  ],
  ...[
    '"VRAM Total Memory (B)": "1',
    'uuid',
    'index',
    '1e999',
    '-1',
    'NVRM: Xid (PCI:',
    '0000:9b:00',
    '): 79',
  ],
)
/** A recorded answer with a part taken out and something put in its place. */
const mutated = fc
  .tuple(fc.constantFrom(...texts), fc.nat(), fc.nat(500), fc.string({ unit: 'binary' }))
  .map(([text, at, length, put]) => {
    const start = at % (text.length + 1)
    return text.slice(0, start) + put + text.slice(start + length)
  })
const answer = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 2_000 }),
  fc.array(word, { maxLength: 200 }).map((words) => words.join('')),
  mutated,
)

it.each(Object.keys(READERS))('[003-TC-08] %s never throws, whatever it is given', (name) => {
  fc.assert(
    fc.property(answer, (text) => {
      expect(() => READERS[name]!(text)).not.toThrow()
    }),
    { numRuns: 400 },
  )
})

it('figures that are read make sense: nothing negative, free within total, names of bounded length', () => {
  fc.assert(
    fc.property(answer, (text) => {
      for (const each of [...readGpus(text), ...readCards(text), ...readMigMemory(text)]) {
        const { memoryTotalBytes: total = 1, memoryFreeBytes: free = 0 } = each
        expect(total).toBeGreaterThan(0)
        expect(free).toBeGreaterThanOrEqual(0)
        expect(free).toBeLessThanOrEqual(total)
        expect('name' in each ? each.name.length : 1).toBeLessThanOrEqual(256)
      }
    }),
    { numRuns: 400 },
  )
})

/** What backtracking parsers choke on: long runs of what nearly fits. */
const HOSTILE = [
  ' '.repeat(400_000),
  `GPU 0: ${'('.repeat(400_000)}`,
  'GPU 0: a (UUID: '.repeat(40_000),
  '<gpu>'.repeat(100_000),
  '<mig_device><index>'.repeat(40_000),
  '{"card0": '.repeat(50_000),
  '0000:'.repeat(100_000),
  ','.repeat(500_000),
  '-'.repeat(500_000),
]

it.each(Object.keys(READERS))(
  '%s looks at each part of a hostile text a few times at most',
  (name) => {
    const read = READERS[name]!
    const secondsOf = (texts: readonly string[]) => {
      const { user: before } = cpuUsage()
      for (const text of texts) read(text)
      return (cpuUsage().user - before) / 1e6
    }
    // A parser that backtracks takes minutes over these; a linear one a few hundredths of a second.
    expect(secondsOf(HOSTILE)).toBeLessThan(5)
  },
)

it('a mask never names a device twice, nor one that was not found', () => {
  const found = [cpu, gpu(0), gpu(1), gpu(2, { isPartitioned: true }), slice(0), slice(1)]
  const spelling = fc.oneof(
    fc.constantFrom(...found.flatMap(({ deviceId, uuid }) => [deviceId, uuid, `gpu${deviceId}`])),
    fc.string(),
  )
  fc.assert(
    fc.property(fc.array(spelling, { maxLength: 12 }), (mask) => {
      const { devices, problems } = resolveMask(mask, found)
      expect(new Set(devices).size).toBe(devices.length)
      expect(devices.every((device) => found.includes(device))).toBe(true)
      // What has no problem names as many devices as it has different ones, and at least one.
      expect(problems.length > 0 || devices.length > 0).toBe(true)
    }),
  )
})
