import { execFileSync, spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { getuid, kill } from 'node:process'
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { simPool, startFleet, until, type Fleet } from '@berth/test-support'

/** Only root may mount a small disk. */
const canMount = getuid?.() === 0
if (!canMount) process.stderr.write('SKIPPED disk-full: mounting a small disk needs root\n')
const suite = canMount ? describe : describe.skip

let disk: string
beforeEach(() => {
  disk = mkdtempSync(join(tmpdir(), 'berth-disk-'))
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=512k', 'tmpfs', disk])
})
afterEach(() => {
  execFileSync('umount', ['--lazy', disk])
  rmSync(disk, { recursive: true })
})

const filler = () => join(disk, 'filler')
/** Fills the disk to its last byte. */
const fill = () => {
  expect(() => writeFileSync(filler(), new Uint8Array(1_024 * 1_024))).toThrow('ENOSPC')
}
const free = () => rmSync(filler())
const stateDir = () => join(disk, 'state')

const poolOf = async (fleet: Fleet) => {
  const answer = await fetch(`${fleet.url}/v1/pools/a`)
  return (await answer.json()) as { ready: boolean; last_error: string | null; pid: number | null }
}
const statusOfChat = async (fleet: Fleet) => {
  const answer = await fleet.chat({ model: 'sim-model', max_tokens: 4 })
  await answer.text()
  return answer.status
}

suite('a disk that is full', () => {
  it('stops no request; an engine that dies then says why it stays away, and comes back', async () => {
    await using fleet = await startFleet({
      hosts: [{ hostId: 'h1', pools: [await simPool('a')] }],
      agentFlags: { '--state-dir': stateDir() },
    })
    fill()
    const statuses = await Promise.all(Array.from({ length: 20 }, () => statusOfChat(fleet)))
    expect(new Set(statuses)).toEqual(new Set([200]))

    kill((await poolOf(fleet)).pid!, 'SIGKILL')
    const broken = await until('the pool says what it lacks', async () => {
      const pool = await poolOf(fleet)
      return !pool.ready && pool.last_error?.includes('no space left') ? pool : undefined
    })
    expect(broken.last_error).toContain(join(stateDir(), 'instances.json'))
    expect(readdirSync(stateDir()).filter((name) => name.endsWith('.new'))).toEqual([])

    free()
    await fleet.poolIsReady('a')
    expect(await statusOfChat(fleet)).toBe(200)
  }, 60_000)

  it('keeps an agent from starting, with the file, the fact and what to do', () => {
    mkdirSync(stateDir())
    const poolsFile = join(disk, 'pools.yaml')
    writeFileSync(
      poolsFile,
      'host: h1\npools:\n  - { id: a, engine: sim, model: m, devices: [cpu] }\n',
    )
    fill()
    const bundle = join(import.meta.dirname, '../../dist/pool-managerd.js')
    const flags = ['--pools-file', poolsFile, '--state-dir', stateDir(), '--grpc-port', '0']
    const ports = ['--ingress-port', '0', '--http-port', '0']
    const { status, stderr } = spawnSync(process.execPath, [bundle, ...flags, ...ports], {
      encoding: 'utf8',
      env: {},
      timeout: 20_000,
    })
    expect(stderr).toMatch(
      `pool-managerd: Cannot write ${join(stateDir(), 'agent.lock')}: no space left on its disk. Free some`,
    )
    expect(status).toBe(1)
    expect(readdirSync(stateDir())).toEqual([])
  })
})
