import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import type { Clock } from '@berth/kernel'
import { systemClock } from '@berth/runtime'
import { isAlive, recordOf } from './processes.ts'
import { readPaths } from './paths.ts'
import { runSuite } from './run-suite.ts'
import type { Suite } from './suites.ts'

const REPOSITORY = join(import.meta.dirname, '../../..')
const PATIENCE_MS = 60_000

let folder = ''
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'berth-suite-'))
})
afterEach(() => rmSync(folder, { recursive: true }))

const run = (suite: Partial<Suite>, root = folder, clock: Clock = systemClock()) =>
  runSuite({
    paths: readPaths({ BERTH_ROOT: root }),
    clock,
    env: { ...process.env, FOLDER: folder },
    isShown: false,
    signal: new AbortController().signal,
    suite: {
      ...{ name: 'planted', title: 'Planted', kind: 'check', argv: [], isOnlyInFull: false },
      ...{ timeLimitMs: PATIENCE_MS, lingerMs: PATIENCE_MS },
      ...suite,
    },
  })

/** The system's clock, and an hour later once what jest tells of its progress holds `text`. */
const leapingClock = (text: string): Clock => {
  const clock = systemClock()
  const path = join(REPOSITORY, '.berth/test/planted.progress.json')
  let leapMs = 0
  const look = () => {
    if (existsSync(path) && readFileSync(path, 'utf8').includes(text)) leapMs = 3_600_000
    return leapMs
  }
  return { ...clock, now: () => clock.now() + look() }
}

const shell = (script: string) => ['sh', '-c', script]
const pidIn = (file: string) => Number(readFileSync(join(folder, file), 'utf8'))
const lives = (pid: number) => existsSync(`/proc/${pid}`) && isAlive(recordOf('it', pid))

/** jest itself, on one spec of its own. */
const jest = (spec: string) => {
  writeFileSync(join(folder, 'a.spec.js'), spec)
  const config = JSON.stringify({ rootDir: folder, testMatch: ['<rootDir>/*.spec.js'] })
  return { kind: 'jest' as const, argv: ['jest', '--config', config, '--runInBand'] }
}

describe('a suite', () => {
  it('that ends well counts as one', async () => {
    expect(await run({ argv: shell('exit 0') })).toEqual({
      counts: { passed: 1, failed: 0, skipped: 0 },
      failures: [],
    })
  })

  it('that fails shows the first lines of what it said', async () => {
    const { counts, failures } = await run({ argv: shell('echo one; echo two >&2; exit 3') })
    expect(failures).toEqual([{ name: 'Planted', lines: ['one', 'two'] }])
    expect(counts).toEqual({ passed: 0, failed: 1, skipped: 0 })
  })

  it('that takes too long is ended with its process group, and fails', async () => {
    const argv = shell('sleep 600 & echo $! >"$FOLDER/pid"; wait')
    const { counts, failures } = await run({ argv, timeLimitMs: 1_000 })
    expect(failures).toEqual([{ name: 'planted took longer than 1 s and was ended', lines: [] }])
    expect(counts).toEqual({ passed: 0, failed: 1, skipped: 0 })
    expect(lives(pidIn('pid'))).toBe(false)
  })

  it('that leaves a process in a group of its own running fails, and the process is ended', async () => {
    const start = `setsid sh -c 'echo up; exec sleep 600' >"$TMPDIR/log" & echo $! >"$FOLDER/pid"`
    const argv = shell(`${start}; until [ -s "$TMPDIR/log" ]; do sleep 0.01; done`)
    const { counts, failures } = await run({ argv })
    const pid = pidIn('pid')
    expect(failures).toEqual([{ name: `left running: sleep 600 (pid ${pid})`, lines: [] }])
    expect(counts.failed).toBe(1)
    expect(lives(pid)).toBe(false)
  })

  it('of tests is counted test by test, and names those that failed', async () => {
    const suite = jest(`
      test('adds', () => expect(1 + 1).toBe(2))
      test('adds wrongly', () => expect(1 + 1).toBe(3))
      xtest('later', () => undefined)
      test['todo']('some day')
    `)
    const { counts, failures } = await run(suite, REPOSITORY)
    expect(counts).toEqual({ passed: 1, failed: 1, skipped: 2 })
    expect(failures).toHaveLength(1)
    expect(failures[0]?.name).toMatch(/a\.spec\.js › adds wrongly$/)
    expect(failures[0]?.lines.join('\n')).toMatch(/Expected: 3\nReceived: 2\n +at /)
  })

  it('of a file that does not even load fails with the reason', async () => {
    const { counts, failures } = await run(jest(`throw new Error('no such luck')`), REPOSITORY)
    expect(counts).toEqual({ passed: 0, failed: 1, skipped: 0 })
    expect(failures[0]?.lines.join('\n')).toContain('no such luck')
  })

  it(
    'that passes and does not end is ended, and says what it left open',
    async () => {
      const server = "require('node:net').createServer().listen(0, '127.0.0.1', done)"
      const suite = jest(`test('listens', (done) => void ${server})`)
      const { counts, failures } = await run(suite, REPOSITORY, leapingClock('listensAt'))
      expect(counts).toEqual({ passed: 1, failed: 1, skipped: 0 })
      expect(failures).toEqual([
        {
          name: 'planted passed its last test and did not end; it was ended',
          lines: [expect.stringMatching(/^left open: Server listensAt=\d+$/)],
        },
      ])
    },
    PATIENCE_MS,
  )

  it(
    'of tests that takes too long names the file that ran',
    async () => {
      const suite = jest(`test('hangs', () => new Promise(() => {}), 600_000)`)
      const { failures } = await run(suite, REPOSITORY, leapingClock('a.spec.js'))
      expect(failures).toHaveLength(1)
      expect(failures[0]?.lines).toEqual([expect.stringMatching(/^while it ran .*a\.spec\.js$/)])
    },
    PATIENCE_MS,
  )
})
