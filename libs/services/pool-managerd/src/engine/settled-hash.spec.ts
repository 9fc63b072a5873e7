import { spawn, type ChildProcess } from 'node:child_process'
import { afterEach, describe, expect, it } from '@jest/globals'
import { readStartTime, systemClock } from '@berth/runtime'
import { hashOfArgv } from '../state/process-scan.ts'
import { thisMachine } from './machine.ts'
import { settledHash } from './settled-hash.ts'

let child: ChildProcess | undefined
afterEach(() => void child?.kill('SIGKILL'))

const start = (): { readonly pid: number; readonly startTime: string } => {
  child = spawn('sleep', ['60'])
  const pid = child.pid!
  return { pid, startTime: readStartTime(pid) }
}
const PREPARED = { argv: ['setpriv', '--', 'engine', '--flag'], passing: 2 }

/** A machine that shows one command line after the other, and the last one from then on. */
const showing = (...hashes: readonly string[]) => {
  const left = [...hashes]
  const hashOfProcess = () => (left.length > 1 ? left.shift()! : left[0]!)
  return { machine: { ...thisMachine, hashOfProcess } }
}
const clock = systemClock()

describe('the command line an engine is known by', () => {
  it('is neither the one that makes way for it nor the none in between', async () => {
    const { machine } = showing(hashOfArgv(PREPARED.argv), '', '', 'its own')
    expect(await settledHash(start(), PREPARED, { machine, clock })).toBe('its own')
  })

  it('is the first there is where nothing makes way', async () => {
    const { machine } = showing('', 'its own')
    const own = { argv: ['engine'], passing: 0 }
    expect(await settledHash(start(), own, { machine, clock })).toBe('its own')
  })

  it('is not waited for when the process has ended', async () => {
    const { machine } = showing('')
    const ended = { pid: 2 ** 22 + 1, startTime: '1' }
    expect(await settledHash(ended, PREPARED, { machine, clock })).toBe('')
  })
})
