import { createHash } from 'node:crypto'
import { existsSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from '@jest/globals'
import { createSilentLogger } from '@berth/runtime'
import { eventually } from '../testing/eventually.ts'
import { openModelDigests } from './model-digests.ts'

const dir = mkdtempSync(join(tmpdir(), 'berth-digests-'))
afterAll(() => rmSync(dir, { recursive: true }))

const log = createSilentLogger()
const shaOf = (content: string) => `sha256:${createHash('sha256').update(content).digest('hex')}`
const fileOf = (content: string) => {
  const path = join(dir, crypto.randomUUID())
  writeFileSync(path, content)
  return path
}
const freshDir = () => mkdtempSync(join(dir, 'state-'))

describe('the digest of a model file', () => {
  it('is that of its bytes, with progress that only grows to the end', async () => {
    const content = 'x'.repeat(10 * 1_048_576)
    const digests = await openModelDigests(freshDir(), log)
    const ratios: number[] = []
    const path = fileOf(content)
    expect(await digests.known(path)).toBeUndefined()
    const digest = await digests.read(path, { onProgress: (ratio) => ratios.push(ratio) })
    expect(digest).toBe(shaOf(content))
    expect(ratios).toEqual([0.4, 0.8, 1])
    expect(await digests.known(path)).toBe(digest)
  })

  it('is not read again by the next life, unless the file was touched', async () => {
    const stateDir = freshDir()
    const path = fileOf('weights')
    const then = new Date(1_700_000_000_000)
    utimesSync(path, then, then)
    const first = await openModelDigests(stateDir, log)
    await first.read(path, {})
    await eventually('it is kept', () => existsSync(join(stateDir, 'digests.json')))
    // Same size and times: only who reads it would find that it is another.
    writeFileSync(path, 'WEIGHTS')
    utimesSync(path, then, then)
    const second = await openModelDigests(stateDir, log)
    let reads = 0
    const onProgress = () => void (reads += 1)
    expect(await second.read(path, { onProgress })).toBe(shaOf('weights'))
    expect(reads).toBe(0)
    utimesSync(path, then, new Date(1_700_000_005_000))
    expect(await second.known(path)).toBeUndefined()
    expect(await second.read(path, { onProgress })).toBe(shaOf('WEIGHTS'))
    expect(reads).toBe(1)
  })

  it('is given up at once when nobody wants it any more', async () => {
    const digests = await openModelDigests(freshDir(), log)
    const path = fileOf('x'.repeat(64 * 1_048_576))
    const giveUp = new AbortController()
    const onProgress = () => giveUp.abort(new Error('not wanted'))
    const reading = digests.read(path, { signal: giveUp.signal, onProgress })
    await expect(reading).rejects.toThrow('not wanted')
    expect(await digests.known(path)).toBeUndefined()
  })

  it('does not exist for a file that is not there, or that changes while it is read', async () => {
    const digests = await openModelDigests(freshDir(), log)
    await expect(digests.read(join(dir, 'nowhere'), {})).rejects.toThrow('ENOENT')
    const path = fileOf('x'.repeat(12 * 1_048_576))
    const onProgress = () => writeFileSync(path, 'other')
    await expect(digests.read(path, { onProgress })).rejects.toThrow('changed while it was read')
  })

  it('is read anew where what was kept cannot be read', async () => {
    const stateDir = freshDir()
    writeFileSync(join(stateDir, 'digests.json'), '{"broken"')
    const digests = await openModelDigests(stateDir, log)
    expect(await digests.read(fileOf('w'), {})).toBe(shaOf('w'))
  })
})
