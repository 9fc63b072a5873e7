import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals'
import { simPool, startFleet, type Fleet } from '@berth/test-support'
import { createRunFolder, type RunFolder } from './src/berth-command.ts'

// Real processes on a machine that may be busy.
jest.setTimeout(60_000)

let fleet: Fleet
let folder: RunFolder
beforeAll(async () => {
  const knobs = { broken_model: 'broken', load_ms: 300 }
  fleet = await startFleet({ hosts: [{ hostId: 'h1', pools: [await simPool('a', { knobs })] }] })
  folder = createRunFolder()
}, 90_000)
afterAll(async () => {
  await folder[Symbol.asyncDispose]()
  await fleet[Symbol.asyncDispose]()
})

const pools = (...args: readonly string[]) =>
  folder.berth(['pools', ...args, '--url', fleet.url]).ended
const json = async (...args: readonly string[]) =>
  JSON.parse((await pools(...args, '--json')).stdout) as Record<string, unknown>

describe('berth pools', () => {
  it('lists pools and shows one', async () => {
    expect((await pools('ls')).stdout).toMatch(/^a +h1 +sim +sim-model +ready +4\/4 +0$/m)
    expect((await pools('show', 'a')).stdout).toMatch(/^takes jobs +yes$/m)
    expect(await json('show', 'a')).toMatchObject({ id: 'a', ready: true })
  })

  it('waits for a change, tells its steps, and exits by how it ended', async () => {
    const done = await pools('reload', 'a', 'next', '--deadline', '20', '--wait')
    expect(done).toMatchObject({ code: 0 })
    expect(done.stdout).toMatch(
      /reload of a: (stage|stop|start|probe), \d+ %[\s\S]*reload of a: done in/,
    )
    const failed = await pools('reload', 'a', 'broken', '--wait')
    expect(failed).toMatchObject({ code: 1 })
    expect(failed.stdout).toContain('rolled back')
    expect(await json('show', 'a')).toMatchObject({ ready: true, model_id: 'next' })
  })

  it('drains, undrains, stops and starts', async () => {
    expect(await json('drain', 'a', '--wait')).toMatchObject({ status: 'completed' })
    expect(await json('show', 'a')).toMatchObject({ draining: true })
    expect((await pools('undrain', 'a')).code).toBe(0)
    expect((await pools('restart', 'a', '--wait')).code).toBe(0)
    expect((await pools('stop', 'a', '--wait')).code).toBe(0)
    expect((await pools('ls')).stdout).toMatch(/^a .* stopped/m)
    expect((await pools('start', 'a', '--wait')).code).toBe(0)
    expect((await pools('reset-restarts', 'a')).code).toBe(0)
  })

  it('shows what happened and what was asked', async () => {
    const { stdout } = await pools('history', 'a')
    expect(stdout).toMatch(/ready +draining/)
    expect(stdout).toMatch(/reload +failed/)
  })

  it('shows the log, and follows it', async () => {
    expect((await pools('logs', 'a')).stdout).toContain('listening')
    const following = folder.berth(['pools', 'logs', 'a', '-f', '-n', '1000', '--url', fleet.url])
    await following.saw('listening')
    following.signal('SIGINT')
    expect((await following.ended).code).toBe(130)
  })

  it('says what is wrong and exits 1 for a pool that is not there', async () => {
    const { code, stderr } = await pools('drain', 'nobody')
    expect(code).toBe(1)
    expect(stderr).toContain('There is no pool "nobody"')
  })
})
