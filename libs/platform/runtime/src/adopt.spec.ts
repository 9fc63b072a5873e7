import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { sleep } from '@berth/kernel'
import { afterEach, describe, expect, it } from '@jest/globals'
import { adoptProcess } from './adopt.ts'
import { isRunning, readBootId, readStartTime } from './process-table.ts'
import { killGroup, type Child, type ChildExit } from './spawn.ts'
import { systemClock } from './system-clock.ts'

const clock = systemClock()
const started: ChildProcess[] = []
const watched: Child[] = []
afterEach(() => {
  for (const child of watched.splice(0)) child.release?.()
  for (const { pid } of started.splice(0)) killGroup(pid!, 'SIGKILL')
})

const start = async (script: string): Promise<number> => {
  const child = spawn('/bin/sh', ['-c', script], { detached: true, stdio: 'ignore' })
  started.push(child)
  await once(child, 'spawn')
  return child.pid!
}
const adopt = (pid: number, startTime = readStartTime(pid)) => {
  const child = adoptProcess({ pid, startTime })
  watched.push(child)
  return child
}
const childrenOf = (pid: number): number[] =>
  readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').map(Number).filter(Boolean)
const exitOf = (child: Child) => new Promise<ChildExit>((resolve) => child.onExit(resolve))
const until = async (holds: () => boolean) => {
  for (const end = clock.now() + 5000; !holds(); await sleep(clock, 10))
    if (clock.now() > end) throw new Error(`not within 5 s: ${holds.toString()}`)
}

describe('an adopted process', () => {
  it('is seen to end, but not how', async () => {
    const pid = await start('exec sleep 60')
    const child = adopt(pid)
    expect(child.groupIsAlive()).toBe(true)
    child.signalGroup('SIGKILL')
    expect(await exitOf(child)).toEqual({ code: null, signal: null })
    expect(await exitOf(child)).toEqual({ code: null, signal: null })
    expect(child.groupIsAlive()).toBe(false)
  })

  it('is signalled with what it left in its group', async () => {
    const pid = await start('sleep 60 & sleep 0.1')
    const child = adopt(pid)
    await exitOf(child)
    expect(child.groupIsAlive()).toBe(true)
    child.signalGroup('SIGTERM')
    await until(() => !child.groupIsAlive())
  })

  it('is not a later process of the same pid: that one is never signalled', async () => {
    const pid = await start('exec sleep 60')
    const child = adopt(pid, '1')
    expect(await exitOf(child)).toEqual({ code: null, signal: null })
    expect(child.groupIsAlive()).toBe(false)
    child.signalGroup('SIGKILL')
    expect(isRunning(pid, readStartTime(pid))).toBe(true)
  })
})

it('a zombie does not run, though it has an entry in the process table', async () => {
  // Its parent, the shell that became `sleep`, never waits for it.
  const pid = await start('sleep 0.05 & exec sleep 60')
  await until(() => childrenOf(pid).length === 1)
  const zombie = childrenOf(pid)[0]!
  const startTime = readStartTime(zombie)
  expect(startTime).not.toBe('')
  await until(() => !isRunning(zombie, startTime))
  expect(readStartTime(zombie)).toBe(startTime)
})

it('a boot has one name', () => {
  expect(readBootId()).toMatch(/^[0-9a-f-]{36}$/)
  expect(readBootId()).toBe(readBootId())
})
