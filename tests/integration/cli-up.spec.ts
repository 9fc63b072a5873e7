import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals'
import { until } from '@berth/test-support'
import { createRunFolder, isListening, type RunFolder } from './src/berth-command.ts'

jest.setTimeout(120_000)

const UP = ['up', '--engine', 'sim', '--port', '0'] as const

let folder: RunFolder
beforeEach(() => {
  folder = createRunFolder()
})
afterEach(async () => {
  await folder[Symbol.asyncDispose]()
})

const tryPidOf = (name: string): number | undefined => {
  const services = (folder.state()?.['services'] ?? []) as { name: string; pid: number }[]
  return services.find((service) => service.name === name)?.pid
}
const pidOf = (name: string): number => tryPidOf(name)!

const openPorts = async (ports: readonly number[]): Promise<number[]> => {
  const open = await Promise.all(ports.map(isListening))
  return ports.filter((_, index) => open[index])
}

describe('./berth up', () => {
  it('prints an answer that came through the whole path, and what to try next', async () => {
    const up = folder.berth(UP)
    await up.saw('pools ready')
    expect(up.output()).toMatch(/you: {3}Say hello\.\n {2}sim-model: \S+/)
    expect(up.output()).toContain('./berth chat')
    const chat = await folder.berth(['chat', 'hello', 'there']).ended
    expect(chat.stdout.trim().length).toBeGreaterThan(0)
    expect(chat.code).toBe(0)
    up.signal('SIGINT')
    expect((await up.ended).code).toBe(0)
    expect(folder.processes()).toEqual([])
  })

  it('runs the bundled engine when nothing else is asked for', async () => {
    const up = folder.berth(['up', '--port', '0'])
    await up.saw('pools ready')
    const { stdout } = await folder.berth(['status', '--json']).ended
    const status = JSON.parse(stdout)
    expect(status.pools).toMatchObject([
      { id: 'local', engine: 'embedded', model_id: 'berth-tiny', ready: true },
    ])
  })

  it('refuses a second one and names the first', async () => {
    const first = folder.berth(UP)
    await first.saw('pools ready')
    const second = await folder.berth(UP).ended
    expect(second.stderr).toContain(`A fleet is already running here (pid ${first.pid}, http://`)
    expect(second.stderr).toContain('./berth down')
    expect(second.code).toBe(3)
    expect((await folder.berth(['status']).ended).code).toBe(0)
  })

  it('starts a service that dies again, says so, and serves on', async () => {
    const up = folder.berth(UP)
    await up.saw('pools ready')
    const before = pidOf('orchestratord')
    process.kill(before, 'SIGKILL')
    await up.saw('! orchestratord ended (SIGKILL); starting it again')
    const { code, stdout } = await folder.berth(['chat', 'hello']).ended
    expect(stdout.trim().length).toBeGreaterThan(0)
    expect(code).toBe(0)
  })

  it('waits in chat and in status while the placement service is away, and says so', async () => {
    const up = folder.berth(UP)
    await up.saw('pools ready')
    const core = pidOf('orchestrator-core')
    process.kill(core, 'SIGSTOP')
    const chat = folder.berth(['chat', 'hello'])
    await chat.saw('Waiting for a model to be served ...')
    const status = folder.berth(['status', '--json'])
    await status.saw('Waiting for the control plane ...')
    process.kill(core, 'SIGCONT')
    const said = await chat.ended
    expect(said.stdout.trim().length).toBeGreaterThan(0)
    expect(said.stdout).not.toContain('Waiting')
    expect(said.code).toBe(0)
    const shown = await status.ended
    expect(JSON.parse(shown.stdout).pools).toMatchObject([{ id: 'local' }])
    expect(shown.code).toBe(0)
  })

  it('says at once in chat that there is no gateway where none runs', async () => {
    const { stderr, code } = await folder.berth(['chat', 'hello']).ended
    expect(stderr).toContain('./berth up')
    expect(stderr).not.toContain('Waiting')
    expect(code).toBe(4)
  })

  it('ends everything when a service keeps dying, and says where to look', async () => {
    const up = folder.berth(UP)
    await up.saw('pools ready')
    for (let pid = 0, kills = 0; kills < 6; kills += 1) {
      pid = await until('the next life', () => {
        const found = tryPidOf('orchestratord')
        return found !== pid && found
      })
      process.kill(pid, 'SIGKILL')
    }
    const { code, stderr } = await up.ended
    expect(stderr).toContain('orchestratord keeps dying; giving up.')
    expect(stderr).toContain(join(folder.path, 'logs/orchestratord.log'))
    expect(code).toBe(1)
    expect(folder.processes()).toEqual([])
  })

  it('leaves a fleet running with --detach, which status shows and down stops', async () => {
    const { code, stdout } = await folder.berth([...UP, '--detach']).ended
    expect(stdout).toContain('It runs in the background')
    expect(code).toBe(0)
    const ports = folder.ports()
    expect(await openPorts(ports)).toEqual(ports)
    const shown = await folder.berth(['status']).ended
    expect(shown.stdout).toMatch(/nats +\d+ +running/)
    expect(shown.stdout).toMatch(/local +sim +sim-model +ready +4\/4/)

    expect((await folder.berth(['down']).ended).code).toBe(0)
    expect(folder.processes()).toEqual([])
    expect(await openPorts(ports)).toEqual([])
    expect((await folder.berth(['down']).ended).stdout).toBe('Nothing is running here.\n')
  })

  it('cleans up what a killed one left, engines included, and starts', async () => {
    const first = folder.berth(UP)
    await first.saw('pools ready')
    process.kill(pidOf('pool-managerd'), 'SIGKILL')
    first.signal('SIGKILL')
    await first.ended
    const left = folder.processes()
    expect(left.some((process) => process.includes('nats-server'))).toBe(true)
    expect(left.some((process) => process.includes('sim-engine.js'))).toBe(true)

    expect((await folder.berth(['status']).ended).code).toBe(4)
    const second = folder.berth(UP)
    await second.saw('pools ready')
    expect(second.output()).toMatch(/Ended \d+ processes that an earlier run left behind/)
    const now = folder.processes()
    expect(left.filter((process) => now.includes(process))).toEqual([])
  })
})
