import {
  copyFile,
  mkdtemp,
  readdir,
  readFile,
  rm,
  stat,
  symlink,
  utimes,
  writeFile,
} from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { systemClock } from '@berth/runtime'
import { createSimClock } from '@berth/kernel/testing'
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { claimFile, isClaimed } from './file-claim.ts'

const clock = systemClock()
const signal = new AbortController().signal
let folder: string
let path: string

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'berth-claim-'))
  path = join(folder, 'claim')
})
afterEach(() => rm(folder, { recursive: true, force: true }))

/** The claim of a process that is no more: no pid is so large. */
const leaveDeadClaim = async (change: object = {}) => {
  const endClaim = await claimFile(path, { clock, signal })
  const owner = JSON.parse(await readFile(path, 'utf8')) as object
  endClaim()
  await writeFile(path, JSON.stringify({ ...owner, token: 'dead', pid: 2 ** 22 + 1, ...change }))
}

describe('a claim', () => {
  it('is of one at a time, and leaves nothing behind', async () => {
    let holders = 0
    let most = 0
    const work = async () => {
      const endClaim = await claimFile(path, { clock, signal })
      most = Math.max(most, ++holders)
      await new Promise((resolve) => setImmediate(resolve))
      holders--
      endClaim()
    }
    await Promise.all([work(), work(), work()])
    expect(most).toBe(1)
    expect(await readdir(folder)).toEqual([])
  })

  it('of a process that was killed is taken over by one of many', async () => {
    await leaveDeadClaim()
    expect(isClaimed(path, clock)).toBe(false)
    let holders = 0
    let most = 0
    const work = async () => {
      const endClaim = await claimFile(path, { clock, signal })
      most = Math.max(most, ++holders)
      await new Promise((resolve) => setImmediate(resolve))
      holders--
      endClaim()
    }
    await Promise.all([work(), work(), work(), work()])
    expect(most).toBe(1)
    expect(await readdir(folder)).toEqual([])
  })

  it('that was being taken over by a process that was killed too is taken over', async () => {
    await leaveDeadClaim()
    await copyFile(path, `${path}.next-dead`)
    const endClaim = await claimFile(path, { clock, signal })
    expect(isClaimed(path, clock)).toBe(true)
    endClaim()
  })

  it('of another machine is taken over when its owner gave no sign for 30 s', async () => {
    await leaveDeadClaim({ space: 'another boot' })
    const sim = createSimClock()
    let isMine = false
    const claimed = claimFile(path, { clock: sim, signal }).then((endClaim) => {
      isMine = true
      return endClaim
    })
    await sim.advance(29_000)
    expect(isMine).toBe(false)
    await sim.advance(2_000)
    expect(isMine).toBe(true)
    const endClaim = await claimed
    endClaim()
  })

  it('that a loss of power left empty is taken over when there was no sign for 30 s', async () => {
    await writeFile(path, '')
    const sim = createSimClock()
    const claimed = claimFile(path, { clock: sim, signal })
    await sim.advance(31_000)
    const endClaim = await claimed
    expect(await readdir(folder)).toEqual(['claim'])
    endClaim()
  })

  it('of a machine that is gone is none after a minute', async () => {
    await leaveDeadClaim({ space: 'another boot' })
    expect(isClaimed(path, clock)).toBe(true)
    const hourAgo = new Date(Date.now() - 3_600_000)
    await utimes(path, hourAgo, hourAgo)
    expect(isClaimed(path, clock)).toBe(false)
  })

  it('gives a sign every five seconds while it is held', async () => {
    const sim = createSimClock(Date.now())
    const endClaim = await claimFile(path, { clock: sim, signal })
    await sim.advance(5_000)
    const first = (await stat(path)).mtimeMs
    await sim.advance(5_000)
    expect((await stat(path)).mtimeMs).toBe(first + 5_000)
    endClaim()
    expect(sim.pending()).toBe(0)
  })

  it('misses a sign where the disk refuses it, and goes on', async () => {
    const sim = createSimClock(Date.now())
    const endClaim = await claimFile(path, { clock: sim, signal })
    // Stands in for a file system that became read-only: this path cannot be looked at.
    await rm(path)
    await symlink(basename(path), path)
    await sim.advance(5_000)
    await rm(path)
    endClaim()
    expect(sim.pending()).toBe(0)
  })

  it('that is waited for is left at a signal', async () => {
    const endClaim = await claimFile(path, { clock, signal })
    const leaving = new AbortController()
    const waiting = claimFile(path, { clock, signal: leaving.signal })
    leaving.abort(new Error('left'))
    await expect(waiting).rejects.toThrow('left')
    endClaim()
    expect(await readdir(folder)).toEqual([])
  })
})
