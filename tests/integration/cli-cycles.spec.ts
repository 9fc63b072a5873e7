import { readdirSync } from 'node:fs'
import { expect, it, jest } from '@jest/globals'
import { createRunFolder } from './src/berth-command.ts'

/** A few in the gate, all of them with BERTH_FULL=1. */
const CYCLES = process.env['BERTH_FULL'] === '1' ? 200 : 8
/** One cycle on a machine that is busy. */
const CYCLE_MAX_MS = 30_000
/** Rotated logs of an engine: from this cycle on one more start adds no file. */
const LOGS_KEPT = 4
jest.setTimeout(60_000 + CYCLES * CYCLE_MAX_MS)

it(`leaves no process, port or file behind in ${CYCLES} cycles of up and down`, async () => {
  await using folder = createRunFolder()
  const filesAfter: string[][] = []
  for (let round = 0; round < CYCLES; round++) {
    const up = folder.berth(['up', '--engine', 'sim', '--port', '0'])
    await up.saw('pools ready')
    expect((await folder.berth(['down']).ended).code).toBe(0)
    expect((await up.ended).code).toBe(0)
    // With its processes every port of the fleet is gone; others may have taken one by now.
    expect(folder.processes()).toEqual([])
    filesAfter.push(filesOf(folder.path))
  }
  expect(filesAfter.at(-1)).toEqual(filesAfter[LOGS_KEPT])
})

/** Names of what is kept between runs. NATS numbers the blocks of its streams anew as it writes. */
const filesOf = (folder: string): string[] => {
  const names = readdirSync(folder, { recursive: true, encoding: 'utf8' })
  return names.map((name) => name.replace(/\d+\.blk$/, 'N.blk')).sort()
}
