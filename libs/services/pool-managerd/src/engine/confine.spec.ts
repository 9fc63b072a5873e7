import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { createSilentLogger } from '@berth/runtime'
import { confine } from './confine.ts'
import { DEFAULT_USER, findPrivileges, type Privileges } from './privileges.ts'

const PRIVILEGES: Privileges = { user: DEFAULT_USER, isNamed: false, deviceGroups: [] }
const NO_CAPABILITY = [
  ...['--no-new-privs', '--inh-caps=-all', '--ambient-caps=-all', '--bounding-set=-all', '--'],
]

let dir: string
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'berth-confine-'))
  await chmod(dir, 0o755)
  await writeFile(join(dir, 'engine'), '#!/bin/sh\n', { mode: 0o755 })
})
afterEach(() => rm(dir, { recursive: true }))

const of = (...args: readonly string[]) => ({
  ...{ argv: [join(dir, 'engine'), ...args], folder: dir, path: '/usr/bin:/bin' },
  log: createSilentLogger(),
})

describe('an engine of an agent that is root [002-20a, 002-20a2]', () => {
  it('is started as the engine user, with nothing of root', async () => {
    expect(await confine(of('--x'), PRIVILEGES)).toEqual({
      kind: 'confined',
      owner: DEFAULT_USER,
      prefix: [
        ...['setpriv', '--reuid', '10002', '--regid', '10002', '--clear-groups'],
        ...NO_CAPABILITY,
      ],
    })
  })

  it('keeps the groups that own the GPUs', async () => {
    const confined = await confine(of(), { ...PRIVILEGES, deviceGroups: [44, 105] })
    expect(confined).toMatchObject({
      prefix: expect.arrayContaining(['--groups', '44,105']),
    })
    expect(JSON.stringify(confined)).not.toContain('clear-groups')
  })

  it('stays root by name when the default user cannot read a file, also one behind a flag', async () => {
    const model = join(dir, 'model')
    await writeFile(model, '', { mode: 0o600 })
    for (const args of [[model], [`--model=${model}`]]) {
      const confined = await confine(of(...args), PRIVILEGES)
      expect(confined).toMatchObject({ kind: 'confined', prefix: ['setpriv', ...NO_CAPABILITY] })
      expect(confined).not.toHaveProperty('owner')
    }
  })

  it('is refused when a named user cannot, with the file and what to do', async () => {
    const model = join(dir, 'model')
    await writeFile(model, '', { mode: 0o600 })
    expect(await confine(of(model), { ...PRIVILEGES, isNamed: true })).toMatchObject({
      kind: 'refused',
      report: {
        kind: 'access_denied',
        message: expect.stringContaining(`10002:10002 may not read ${model}. Let it`),
        isRetriable: false,
      },
    })
  })

  it('is refused when its program is not there: what drops privileges would hide that', async () => {
    const missing = { ...of(), argv: ['no-such-engine'] }
    expect(await confine(missing, PRIVILEGES)).toMatchObject({
      report: {
        kind: 'missing_runtime',
        message: 'Cannot run no-such-engine: no such file, or not on PATH. Install it.',
      },
    })
  })
})

it('an engine of an agent that is not root is started as it is', async () => {
  expect(await confine(of(), undefined)).toEqual({ kind: 'confined', prefix: [] })
})

describe('who engines run as', () => {
  const path = process.env['PATH']
  it.each([
    ['10007', { uid: 10_007, gid: 10_007 }],
    ['10007:44', { uid: 10_007, gid: 44 }],
    ['root', { uid: 0, gid: 0 }],
  ])('may be named: %s', async (wanted, user) => {
    expect(await findPrivileges(wanted, { uid: 0, path })).toMatchObject({ user, isNamed: true })
  })

  it('is a number of their own where nobody says', async () => {
    const found = await findPrivileges(undefined, { uid: 0, path })
    expect(found).toMatchObject({ user: DEFAULT_USER, isNamed: false })
  })

  it('is the agent itself where that is not root', async () => {
    expect(await findPrivileges(undefined, { uid: 1_000, path })).toBeUndefined()
    expect(await findPrivileges('1000', { uid: 1_000, path })).toBeUndefined()
  })

  it.each([
    ['no-such-user', 0, 'there is no user no-such-user on this host'],
    ['10002', 1_000, 'only root may run engines as 10002'],
  ])('%s of an agent with uid %i is refused', async (wanted, uid, message) => {
    await expect(findPrivileges(wanted, { uid, path })).rejects.toMatchObject({
      reason: 'CONFIG_INVALID',
      message: expect.stringContaining(message),
    })
  })

  it('cannot be named where nothing can drop privileges, and is told so', async () => {
    await expect(findPrivileges('10002', { uid: 0, path: dir })).rejects.toThrow('util-linux')
    expect(await findPrivileges(undefined, { uid: 0, path: dir })).toBeUndefined()
  })
})
