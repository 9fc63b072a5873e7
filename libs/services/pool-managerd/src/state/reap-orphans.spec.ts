import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { createSilentLogger, spawnChild, systemClock, type Child } from '@berth/runtime'
import { isAlive } from '../testing/is-alive.ts'
import type { JournalEntry } from './journal.ts'
import { hashOfProcess } from './process-scan.ts'
import { reapOrphans, type Orphans } from './reap-orphans.ts'

let cwd: string
const children: Child[] = []
beforeEach(async () => {
  cwd = await mkdtemp(join(tmpdir(), 'berth-reap-'))
})
afterEach(async () => {
  for (const child of children.splice(0)) child.signalGroup('SIGKILL')
  await rm(cwd, { recursive: true })
})

const start = async (env: Record<string, string> = {}): Promise<Child> => {
  const path = join(cwd, 'log')
  const argv = [process.execPath, '-e', 'setInterval(() => {}, 1000)']
  const child = await spawnChild({ argv, env, cwd, stdoutPath: path, stderrPath: path })
  children.push(child)
  return child
}
const processOf = ({ pid, startTime }: Child): NonNullable<JournalEntry['process']> => ({
  ...{ pid, startTime, argvHash: hashOfProcess(pid) },
  ...{ port: 1, bootId: 'b', apiKey: 'k', upSinceMs: 0 },
})
const reap = (orphans: Partial<Orphans>) =>
  reapOrphans(
    { entries: [], keptInstanceIds: new Set(), agentId: 'agent-of-this-test', ...orphans },
    { clock: systemClock(), log: createSilentLogger() },
  )

describe('reaping', () => {
  it('ends only processes whose pid, start time and command line are those of the journal [001-PRC-3]', async () => {
    const child = await start()
    const same = processOf(child)
    const entryOf = (process: typeof same) => ({ poolId: 'a', instanceId: 'not-in-env', process })
    await reap({
      entries: [entryOf({ ...same, startTime: '1' }), entryOf({ ...same, argvHash: 'other' })],
    })
    expect(isAlive(child.pid)).toBe(true)
    await reap({ entries: [entryOf(same)] })
    expect(isAlive(child.pid)).toBe(false)
  })

  it('ends a process that carries the id of a journalled instance without a pid', async () => {
    const child = await start({ BERTH_INSTANCE_ID: 'marked-1' })
    await reap({ entries: [{ poolId: 'a', instanceId: 'marked-1' }] })
    expect(isAlive(child.pid)).toBe(false)
  })

  it('ends instances of its state directory that no journal knows, and no others', async () => {
    const marked = (instance: string, agent: string) =>
      start({ BERTH_INSTANCE_ID: instance, BERTH_AGENT_ID: agent })
    const unknown = await marked('unknown-1', 'agent-1')
    const kept = await marked('kept-1', 'agent-1')
    const ofAnother = await marked('unknown-2', 'agent-2')
    await reap({ agentId: 'agent-1', keptInstanceIds: new Set(['kept-1']) })
    expect([unknown, kept, ofAnother].map(({ pid }) => isAlive(pid))).toEqual([false, true, true])
  })
})
