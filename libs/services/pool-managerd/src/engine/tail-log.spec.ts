import { appendFile, mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it } from '@jest/globals'
import { createSimClock } from '@berth/kernel/testing'
import { createSilentLogger, systemClock } from '@berth/runtime'
import { eventually } from '../testing/eventually.ts'
import { rotateLog, truncateLog } from './rotate-log.ts'
import { tailLog } from './tail-log.ts'

const inFolder = async (work: (dir: string) => Promise<void>) => {
  const dir = await mkdtemp(join(tmpdir(), 'berth-tail-'))
  await work(dir)
  await rm(dir, { recursive: true })
}

it('gives whole lines, keeps the key of the instance to itself, and ends with the rest', () =>
  inFolder(async (dir) => {
    const path = join(dir, 'engine.log')
    await writeFile(path, 'one\ntwo se')
    const lines: string[] = []
    const tail = tailLog({
      path,
      clock: systemClock(),
      log: createSilentLogger(),
      mask: (line) => line.replaceAll('secret-key', '[redacted]'),
      onLines: (more) => lines.push(...more),
    })
    await tail.catchUp()
    expect(lines).toEqual(['one'])
    await appendFile(path, 'cret-key\nlast')
    await tail[Symbol.asyncDispose]()
    expect(lines).toEqual(['one', 'two [redacted]', 'last'])
  }))

it('gives the last whole drawing of a bar that is drawn over and over in one line', () =>
  inFolder(async (dir) => {
    const path = join(dir, 'engine.log')
    const [bar, secret] = ['\rFetching 9 files:', 'secret-key']
    await writeFile(path, `${bar}  0%|\r${bar} 11%| ${secret}\r${bar} 22%`)
    const lines: string[] = []
    await using tail = tailLog({
      path,
      clock: systemClock(),
      log: createSilentLogger(),
      mask: (line) => line.replaceAll(secret, '[redacted]'),
      onLines: (more) => lines.push(...more),
    })
    await tail.catchUp()
    expect(lines).toEqual(['Fetching 9 files: 11%| [redacted]'])
    await appendFile(path, '| 2/9\r\nnext\r')
    await tail.catchUp()
    await appendFile(path, '\n')
    await tail.catchUp()
    expect(lines.slice(1)).toEqual(['Fetching 9 files: 22%| 2/9', 'next'])
  }))

it('keeps four files at most, however often a log is rotated [002-32b]', () =>
  inFolder(async (dir) => {
    const path = join(dir, 'engine.log')
    for (let life = 0; life < 9; life++) {
      await writeFile(path, `life ${life}\n`)
      await rotateLog(path)
    }
    expect((await readdir(dir)).sort()).toEqual(['engine.log.1', 'engine.log.2', 'engine.log.3'])
  }))

it('empties the log of a running engine once it is too large', () =>
  inFolder(async (dir) => {
    const path = join(dir, 'engine.log')
    await writeFile(path, 'x'.repeat(100))
    expect(await truncateLog(path, 100)).toBe(false)
    expect(await truncateLog(path, 99)).toBe(true)
    expect((await stat(path)).size).toBe(0)
    expect((await stat(`${path}.1`)).size).toBe(100)
  }))

it('[002-32a] is asleep while nothing is printed, and awake with the next line', () =>
  inFolder(async (dir) => {
    const path = join(dir, 'engine.log')
    await writeFile(path, '')
    const clock = createSimClock()
    const armed: number[] = []
    const lines: string[] = []
    await using tail = tailLog({
      path,
      clock: {
        ...clock,
        after: (ms, fn) => {
          armed.push(ms)
          return clock.after(ms, fn)
        },
      },
      log: createSilentLogger(),
      mask: (line) => line,
      onLines: (more) => lines.push(...more),
    })
    for (let look = 0; look < 60; look += 1) {
      await clock.advance(250)
      await tail.catchUp()
    }
    expect(armed.filter((ms) => ms === 250).length).toBeLessThan(12)
    expect(armed.filter((ms) => ms === 10_000).length).toBeGreaterThan(0)
    await appendFile(path, 'awake\n')
    // The clock stands still: it is the kernel that tells.
    await eventually('the line is read', () => Promise.resolve(lines.length > 0))
    expect(lines).toEqual(['awake'])
  }))
