import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { sleep } from '@berth/kernel'
import { afterAll, describe, expect, it } from '@jest/globals'
import { spawnChild, type Child, type SpawnRequest } from './spawn.ts'
import { systemClock } from './system-clock.ts'

const dir = mkdtempSync(join(tmpdir(), 'berth-spawn-'))
afterAll(() => rmSync(dir, { recursive: true }))
const clock = systemClock()
let requests = 0
const request = (script: string, change: Partial<SpawnRequest> = {}): SpawnRequest => {
  requests += 1
  return {
    argv: ['/bin/sh', '-c', script],
    env: { PATH: process.env['PATH'] ?? '' },
    cwd: dir,
    stdoutPath: join(dir, `${requests}.out`),
    stderrPath: join(dir, `${requests}.err`),
    ...change,
  }
}
const exitOf = (child: Child) =>
  new Promise<{ code: number | null; signal: string | null }>((resolve) => child.onExit(resolve))
const until = async (holds: () => boolean) => {
  for (const end = clock.now() + 5000; !holds(); await sleep(clock, 10))
    if (clock.now() > end) throw new Error(`not within 5 s: ${holds.toString()}`)
}

describe('a spawned child', () => {
  it('writes its output to files, after what they held', async () => {
    const first = request('echo out; echo err >&2; exit 3')
    const child = await spawnChild(first)
    expect(await exitOf(child)).toEqual({ code: 3, signal: null })
    await exitOf(await spawnChild({ ...first, argv: ['/bin/echo', 'more'] }))
    expect(readFileSync(first.stdoutPath, 'utf8')).toBe('out\nmore\n')
    expect(readFileSync(first.stderrPath, 'utf8')).toBe('err\n')
  })

  it('[001-PRC-1] sees only the environment it was given, and no shell', async () => {
    const asked = request('', { argv: ['/usr/bin/env'], env: { ONLY: '$HOME; ls' } })
    await exitOf(await spawnChild(asked))
    expect(readFileSync(asked.stdoutPath, 'utf8')).toBe('ONLY=$HOME; ls\n')
  })

  it('[001-PRC-1] leads a process group of its own, with a start time to know it by', async () => {
    const child = await spawnChild(request('exec sleep 60'))
    const stat = readFileSync(`/proc/${child.pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? []
    expect(stat[2]).toBe(String(child.pid))
    expect(child.startTime).toBe(stat[19])
    child.signalGroup('SIGKILL')
    expect(await exitOf(child)).toEqual({ code: null, signal: 'SIGKILL' })
    expect(child.groupIsAlive()).toBe(false)
  })

  it('tells of an exit that was before one asked', async () => {
    const child = await spawnChild(request('exit 7'))
    await exitOf(child)
    expect(await exitOf(child)).toEqual({ code: 7, signal: null })
  })

  it('is signalled with its grandchildren, also when the leader has gone', async () => {
    const pidFile = join(dir, 'grandchild.pid')
    const child = await spawnChild(request(`sleep 60 & echo $! > ${pidFile}; exit 0`))
    await exitOf(child)
    expect(child.groupIsAlive()).toBe(true)
    child.signalGroup('SIGTERM')
    await until(() => !child.groupIsAlive())
    const grandchild = readFileSync(pidFile, 'utf8').trim()
    const stat = `/proc/${grandchild}/stat`
    // A zombie waits for init to reap it; it runs no more.
    const runs = existsSync(stat) && !readFileSync(stat, 'utf8').includes(') Z ')
    expect(runs).toBe(false)
  })

  it('may be signalled when nothing is left of it', async () => {
    const child = await spawnChild(request('exit 0'))
    await exitOf(child)
    expect(() => child.signalGroup('SIGKILL')).not.toThrow()
  })

  it.each([
    ['a binary that is not there', { argv: ['/nowhere/engine'] }, '/nowhere/engine: no such file'],
    ['a binary that is not on PATH', { argv: ['berth-no-such'] }, 'berth-no-such: no such file'],
    ['a file that is not executable', { argv: ['/etc/passwd'] }, '/etc/passwd: it is not exec'],
    ['a missing directory', { cwd: '/nowhere' }, 'working directory /nowhere does not exist'],
    ['a log that cannot be opened', { stdoutPath: '/nowhere/log' }, 'Cannot open log /nowhere'],
    ['an empty command', { argv: [] }, 'Cannot run'],
  ])('is refused as ENGINE_FAILED for %s', async (_what, change, message) => {
    await expect(spawnChild(request('', change))).rejects.toMatchObject({
      reason: 'ENGINE_FAILED',
      message: expect.stringContaining(message),
    })
  })
})
