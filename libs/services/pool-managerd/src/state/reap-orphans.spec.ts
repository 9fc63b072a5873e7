import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it } from '@jest/globals'
import { createSilentLogger, killGroup, spawnChild, systemClock } from '@berth/runtime'
import { isAlive } from '../testing/is-alive.ts'
import { hashOfProcess } from './process-scan.ts'
import { reapOrphans } from './reap-orphans.ts'

const surroundings = { clock: systemClock(), log: createSilentLogger() }

it('ends only processes whose pid, start time and command line are all those of the journal', async () => {
  const cwd = await mkdtemp(join(tmpdir(), 'berth-reap-'))
  const path = join(cwd, 'log')
  const argv = [process.execPath, '-e', 'setInterval(() => {}, 1000)']
  const child = await spawnChild({ argv, env: {}, cwd, stdoutPath: path, stderrPath: path })
  const { pid, startTime } = child
  const same = { pid, startTime, argvHash: hashOfProcess(pid), port: 1 }
  const entryOf = (process: typeof same) => ({ poolId: 'a', instanceId: 'not-in-env', process })
  await reapOrphans(
    [entryOf({ ...same, startTime: '1' }), entryOf({ ...same, argvHash: 'other' })],
    surroundings,
  )
  expect(isAlive(pid)).toBe(true)
  await reapOrphans([entryOf(same)], surroundings)
  expect(isAlive(pid)).toBe(false)
  killGroup(pid, 'SIGKILL')
  await rm(cwd, { recursive: true })
})

it('ends a process that carries the id of a journalled instance, whose pid was never written', async () => {
  const cwd = await mkdtemp(join(tmpdir(), 'berth-reap-'))
  const path = join(cwd, 'log')
  const child = await spawnChild({
    argv: [process.execPath, '-e', 'setInterval(() => {}, 1000)'],
    env: { BERTH_INSTANCE_ID: 'marked-1' },
    cwd,
    stdoutPath: path,
    stderrPath: path,
  })
  await reapOrphans([{ poolId: 'a', instanceId: 'marked-1' }], surroundings)
  expect(isAlive(child.pid)).toBe(false)
  await rm(cwd, { recursive: true })
})
