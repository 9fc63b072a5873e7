import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { afterEach, describe, expect, it } from '@jest/globals'

const FIXTURE = fileURLToPath(new URL('./testing/run-fixture.ts', import.meta.url))
const children: ReturnType<typeof spawn>[] = []
afterEach(() => children.splice(0).forEach((child) => child.kill('SIGKILL')))

const start = (...argv: string[]) => {
  const child = spawn(process.execPath, [FIXTURE, ...argv], { stdio: ['ignore', 'pipe', 'pipe'] })
  children.push(child)
  const text = { out: '', err: '' }
  child.stdout.on('data', (data) => (text.out += String(data)))
  child.stderr.on('data', (data) => (text.err += String(data)))
  const closed = once(child, 'close') as Promise<[number | null, string | null]>
  return {
    kill: (signal: NodeJS.Signals) => child.kill(signal),
    /** Waits for a piece of standard output; the deadline is the test's. */
    says: async (piece: string) => {
      while (!text.out.includes(piece)) await once(child.stdout, 'data')
    },
    ended: async () => {
      const [code] = await closed
      return { code, ...text, lines: text.out.split('\n').filter((l) => !l.startsWith('{')) }
    },
  }
}

describe('a process under run', () => {
  it.each(['SIGTERM', 'SIGINT'] as const)('releases in order and exits 0 on %s', async (signal) => {
    const child = start('--mode', 'ok')
    await child.says('started')
    child.kill(signal)
    const { code, lines } = await child.ended()
    expect(lines).toEqual(['started', 'released first, aborted true', 'released server', ''])
    expect(code).toBe(0)
  })

  it('keeps running after main has returned, though nothing else holds it open', async () => {
    const child = start('--mode', 'idle')
    await child.says('started')
    child.kill('SIGTERM')
    const { code, lines } = await child.ended()
    expect(lines).toContain('released first, aborted true')
    expect(code).toBe(0)
  })

  it('[003-AC-024] exits 78 and lists every problem of its configuration', async () => {
    const { code, err } = await start('--limit', '11', '--moed=x').ended()
    expect(code).toBe(78)
    expect(err).toContain('3 problems')
    expect(err).toContain('--limit')
    expect(err).toContain('--moed is not a known flag')
    expect(err).toContain('mode is required: set --mode or BERTH_MODE')
  })

  it('exits 1 when it cannot start, and releases what it had', async () => {
    const { code, err, lines } = await start('--mode', 'start-fails').ended()
    expect(code).toBe(1)
    expect(err).toContain('the fixture cannot start')
    expect(lines).toContain('released server')
  })

  it('logs an unhandled rejection and exits 1', async () => {
    const { code, out } = await start('--mode', 'unhandled').ended()
    expect(code).toBe(1)
    expect(out).toContain('nobody waits for this')
  })

  it.each([
    ['a release hangs', 'release-hangs', 'shutdown timed out'],
    ['something was not released', 'leaks', 'shutdown timed out'],
    ['main does not listen to the signal', 'start-hangs', 'shutdown timed out'],
    ['a release fails', 'release-fails', 'cannot release'],
  ])('exits 1 when %s', async (_what, mode, told) => {
    const child = start('--mode', mode)
    await child.says('started')
    child.kill('SIGTERM')
    const { code, out } = await child.ended()
    expect(code).toBe(1)
    expect(out).toContain(told)
  })

  it('does not exit 0 when a release never settles', async () => {
    const child = start('--mode', 'release-stalls')
    await child.says('started')
    child.kill('SIGTERM')
    expect((await child.ended()).code).toBe(1)
  })

  it('exits at once on a second signal', async () => {
    const child = start('--mode', 'release-hangs')
    await child.says('started')
    child.kill('SIGTERM')
    await child.says('shutdown began')
    child.kill('SIGINT')
    expect((await child.ended()).code).toBe(130)
  })

  it('releases what a start that was cut short opens late', async () => {
    const child = start('--mode', 'start-is-slow')
    await child.says('started')
    child.kill('SIGTERM')
    const { code, lines } = await child.ended()
    expect(code).toBe(0)
    expect(lines).toContain('released late')
  })
})
