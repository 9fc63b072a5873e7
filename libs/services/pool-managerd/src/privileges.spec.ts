import { existsSync, readdirSync } from 'node:fs'
import { chmod, readFile, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { getuid } from 'node:process'
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals'
import { startNatsServer, type NatsServer } from '@berth/bus/testing'
import { PoolState } from '@berth/contract'
import { startAgentProcess, type AgentProcess } from './testing/agent-process.ts'
import { startTestAgent, type AgentUnderTest } from './testing/agent-under-test.ts'
import { eventually } from './testing/eventually.ts'
import { isAlive } from './testing/is-alive.ts'
import { makePoolsFolder, simPool, type PoolsFolder } from './testing/pools-folder.ts'

// Real processes on a machine that may be busy.
jest.setTimeout(60_000)

/** Nobody else may give privileges up for another user. */
const isRoot = getuid?.() === 0
if (!isRoot) process.stderr.write('SKIPPED privileges: another user can be had by root alone\n')
const asRoot = isRoot ? describe : describe.skip
const NONE = '0000000000000000'

let nats: NatsServer
beforeAll(async () => {
  nats = await startNatsServer({ jetstream: true })
})
afterAll(async () => {
  await nats[Symbol.asyncDispose]()
})

/** A folder that other users may look into, as /var/lib/berth is. */
const openFolder = async (pools: readonly object[]): Promise<PoolsFolder> => {
  const folder = await makePoolsFolder({ host: 'h1', pools })
  await chmod(folder.dir, 0o755)
  return folder
}
const flags = (...more: readonly string[]) => ['--stop-engines-on-exit', ...more]

const readIdentity = async (pid: number) => {
  const status = await readFile(`/proc/${pid}/status`, 'utf8')
  const field = (name: string) =>
    new RegExp(`^${name}:\\s*(.*)$`, 'm').exec(status)?.[1]?.split(/\s+/)
  return { uids: field('Uid'), capEff: field('CapEff')?.[0] }
}

const idle = async <T>(agent: AgentProcess, work: () => Promise<T>): Promise<T> => {
  try {
    return await work()
  } finally {
    await agent.end('SIGTERM')
  }
}

/** What the engine of a pool says of itself. */
const identityOf = async (pid: number) => {
  const argv = (await readFile(`/proc/${pid}/cmdline`, 'utf8')).split('\0')
  const port = argv[argv.indexOf('--port') + 1]
  const state = await fetch(`http://127.0.0.1:${port}/__sim/state`)
  return ((await state.json()) as { identity: Identity }).identity
}
interface Identity {
  readonly uid: number
  readonly gid: number
  readonly groups: readonly number[]
  readonly cap_eff: string
  readonly cap_bnd: string
  readonly no_new_privs: boolean
  readonly cwd: string
  readonly home: string
  readonly cgroup: string
}

asRoot('an engine of an agent that is root', () => {
  it('is another user, without capabilities or a way back to them [002-20a, 002-20a2]', async () => {
    await using folder = await openFolder([simPool('a')])
    const agent = startAgentProcess(folder, nats.url, flags())
    await idle(agent, async () => {
      const { pid } = await agent.poolIsReady('a')
      const identity = await identityOf(pid)
      expect(identity).toMatchObject({
        ...{ uid: 10_002, gid: 10_002, groups: [] },
        ...{ cap_eff: NONE, cap_bnd: NONE, no_new_privs: true },
      })
      expect(identity.home).toBe(join(folder.stateDir, 'pools/a/home'))
      expect((await readIdentity(pid)).uids).toEqual(['10002', '10002', '10002', '10002'])
    })
  })

  it('has a work folder of its own, for as long as it lives [002-20a3]', async () => {
    await using folder = await openFolder([simPool('a'), simPool('b')])
    const agent = startAgentProcess(folder, nats.url, flags())
    const cwds = await idle(agent, async () => {
      const ready = [await agent.poolIsReady('a'), await agent.poolIsReady('b')]
      const found = await Promise.all(ready.map(async ({ pid }) => (await identityOf(pid)).cwd))
      const facts = await Promise.all(found.map((cwd) => stat(cwd)))
      expect(facts.map(({ mode, uid }) => [mode & 0o777, uid])).toEqual([
        [0o700, 10_002],
        [0o700, 10_002],
      ])
      expect(found[0]).toContain(ready[0]!.instanceId)
      return found
    })
    expect(new Set(cwds).size).toBe(2)
    expect(cwds.filter(existsSync)).toEqual([])
  })

  it('runs as the user that is named, root included, and never with capabilities', async () => {
    await using folder = await openFolder([simPool('a')])
    const named = startAgentProcess(folder, nats.url, flags('--engine-user=12345:54321'))
    await idle(named, async () => {
      const identity = await identityOf((await named.poolIsReady('a')).pid)
      expect(identity).toMatchObject({ uid: 12_345, gid: 54_321, cap_bnd: NONE })
    })
    const root = startAgentProcess(folder, nats.url, flags('--engine-user=root'))
    await idle(root, async () => {
      const identity = await identityOf((await root.poolIsReady('a')).pid)
      expect(identity).toMatchObject({ uid: 0, cap_eff: NONE, cap_bnd: NONE, no_new_privs: true })
    })
  })

  it('keeps its process over a restart of the agent: the command line is its own', async () => {
    await using folder = await openFolder([simPool('a')])
    const first = startAgentProcess(folder, nats.url)
    const { pid, instanceId } = await first.poolIsReady('a')
    expect(await first.end('SIGKILL')).toBeNull()
    const second = startAgentProcess(folder, nats.url, flags())
    await idle(second, async () => {
      expect(await second.poolIsReady('a')).toMatchObject({ pid, instanceId })
    })
    expect(isAlive(pid)).toBe(false)
  })

  it('whose named user may not read its files fails, and says which and what to do', async () => {
    // The folder of the test is closed to others, as /root is.
    await using test = await startTestAgent(nats.url, [simPool('a')], { engineUser: '10002' })
    const failed = await test.reaches('a', PoolState.FAILED)
    expect(failed.lastError).toContain(`may not read ${test.folder.dir}`)
    expect(failed.lastError).toContain('engine_user')
    expect(failed.restartCount).toBe(0)
  })

  it('that the default user could not run stays root by name, without capabilities', async () => {
    await using test = await startTestAgent(nats.url, [simPool('a')])
    const { identity } = await stateOf(test)
    expect(identity).toMatchObject({ uid: 0, cap_eff: NONE, cap_bnd: NONE, no_new_privs: true })
    expect(readdirSync(join(test.folder.stateDir, 'pools/a'))).not.toContain('home')
  })
})

const stateOf = async (test: AgentUnderTest) => {
  const { pid } = await test.reaches('a', PoolState.READY)
  return { identity: await identityOf(pid) }
}

asRoot('an agent that is told to run engines as a user that is not there', () => {
  it('does not start, and says how to make the user', async () => {
    await using folder = await openFolder([simPool('a')])
    const agent = startAgentProcess(folder, nats.url, ['--engine-user=no-such-user'])
    const code = await new Promise((resolve) => agent.child.once('exit', resolve))
    expect(code).toBe(78)
    expect(agent.output()).toContain('useradd --system --no-create-home no-such-user')
  })
})

describe('a control group of its own', () => {
  const home = '/sys/fs/cgroup/unified'
  const isThere = isRoot && existsSync(join(home, 'cgroup.procs'))
  if (!isThere) process.stderr.write('SKIPPED cgroup: version 2 is not writable here\n')
  const where = isThere ? it : it.skip

  where('holds an engine and all it starts, and is gone with it [002-20a3]', async () => {
    const lifecycle = { shutdown_grace_s: 0.3 }
    await using folder = await openFolder([simPool('a', { lifecycle }, { orphan: true })])
    const agent = startAgentProcess(folder, nats.url, flags())
    const group = await idle(agent, async () => {
      const { pid, instanceId } = await agent.poolIsReady('a')
      const { cgroup } = await identityOf(pid)
      expect(cgroup).toMatch(new RegExp(`/berth-[0-9a-f]{8}/${instanceId}$`))
      const members = (await readFile(join(home, cgroup, 'cgroup.procs'), 'utf8')).trim()
      expect(members.split('\n').map(Number)).toContain(pid)
      expect(members.split('\n').length).toBeGreaterThan(1)
      return join(home, cgroup)
    })
    await eventually('the group is gone', () => !existsSync(group))
    expect(existsSync(dirname(group))).toBe(false)
  })
})
