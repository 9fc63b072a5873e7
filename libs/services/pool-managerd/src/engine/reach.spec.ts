import { chmod, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { getgid, getuid } from 'node:process'
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { firstClosed } from './reach.ts'

const OWNER = { uid: getuid!(), gid: getgid!() }
const STRANGER = { uid: 54_321, gid: 54_321 }
const OF_GROUP = { uid: 54_321, gid: getgid!() }

let dir: string
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'berth-reach-'))
  await chmod(dir, 0o755)
  await mkdir(join(dir, 'in'), { mode: 0o755 })
  await writeFile(join(dir, 'in/model'), '', { mode: 0o644 })
})
afterEach(() => rm(dir, { recursive: true }))

const model = () => join(dir, 'in/model')

describe('the way to a file', () => {
  it('is open to all when every folder may be entered and the file read', async () => {
    expect(await firstClosed(model(), STRANGER)).toBeUndefined()
  })

  it('is closed by the first folder that may not be entered', async () => {
    await chmod(dir, 0o700)
    expect(await firstClosed(model(), STRANGER)).toBe(dir)
    expect(await firstClosed(model(), OWNER)).toBeUndefined()
  })

  it('is closed by the file itself', async () => {
    await chmod(model(), 0o600)
    expect(await firstClosed(model(), STRANGER)).toBe(model())
  })

  it('may be open to a group alone', async () => {
    await chmod(join(dir, 'in'), 0o750)
    expect(await firstClosed(model(), OF_GROUP)).toBeUndefined()
    expect(await firstClosed(model(), STRANGER)).toBe(join(dir, 'in'))
  })

  it('leads through what a link points to', async () => {
    const link = join(dir, 'link')
    await symlink(model(), link)
    expect(await firstClosed(link, STRANGER)).toBeUndefined()
    await chmod(join(dir, 'in'), 0o700)
    expect(await firstClosed(link, STRANGER)).toBe(join(dir, 'in'))
  })

  it('to what is not there is nobody closed: that is another problem', async () => {
    expect(await firstClosed(join(dir, 'nothing'), STRANGER)).toBeUndefined()
  })
})
