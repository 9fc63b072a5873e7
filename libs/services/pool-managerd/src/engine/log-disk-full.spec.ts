import { execFileSync } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { getuid } from 'node:process'
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { createLogger, systemClock } from '@berth/runtime'
import { tailLog } from './tail-log.ts'

/** Only root may mount a small disk. */
const canMount = getuid?.() === 0
if (!canMount) process.stderr.write('SKIPPED log-disk-full: mounting a small disk needs root\n')
const suite = canMount ? describe : describe.skip

let disk: string
beforeEach(() => {
  disk = mkdtempSync(join(tmpdir(), 'berth-log-disk-'))
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=128k', 'tmpfs', disk])
})
afterEach(() => {
  execFileSync('umount', ['--lazy', disk])
  rmSync(disk, { recursive: true })
})

const follow = (path: string, warnings: string[]) => {
  const lines: string[] = []
  const tail = tailLog({
    path,
    clock: systemClock(),
    log: createLogger({
      ...{ name: 'spec', level: 'warn', format: 'json' },
      destination: { write: (line: string) => void warnings.push(line) },
    }),
    mask: (line) => line,
    maxBytes: 32_768,
    onLines: (more) => void lines.push(...more),
  })
  return { tail, lines }
}

suite('the log of an engine on a disk that is full', () => {
  it('is read, and emptied without the copy there is no room for', async () => {
    const path = join(disk, 'engine.log')
    writeFileSync(path, `${'x'.repeat(99)}\n`.repeat(700))
    expect(() => writeFileSync(join(disk, 'filler'), new Uint8Array(131_072))).toThrow('ENOSPC')
    const warnings: string[] = []
    const { tail, lines } = follow(path, warnings)
    await tail.catchUp()
    expect(lines).toHaveLength(700)
    expect(statSync(path).size).toBe(0)
    expect(existsSync(`${path}.1`)).toBe(false)
    await tail[Symbol.asyncDispose]()
    expect(warnings).toEqual([])
  })
})

it('a log that cannot be read is told once, and again only after it could', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'berth-log-'))
  const path = join(dir, 'engine.log')
  const warnings: string[] = []
  const { tail, lines } = follow(path, warnings)
  for (let look = 0; look < 5; look++) await tail.catchUp()
  expect(warnings).toHaveLength(1)
  writeFileSync(path, 'one\n')
  await tail.catchUp()
  expect(lines).toEqual(['one'])
  rmSync(path)
  await tail.catchUp()
  expect(warnings).toHaveLength(2)
  writeFileSync(path, '')
  await tail[Symbol.asyncDispose]()
  rmSync(dir, { recursive: true })
})
