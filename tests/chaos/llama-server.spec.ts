import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { kill } from 'node:process'
import { describe, expect, it } from '@jest/globals'
import { tinyGguf, writeGgufImage } from '@berth/model-files'
import { findLlamaServer, operatorOf, TINY_MODEL, until, type Fleet } from '@berth/test-support'
import { busyLlama, llamaPids, startLlamaHosts, trafficOnLlama } from './src/llama-hosts.ts'
import { moreHaveEnded, servedSince } from './src/moments.ts'
import { recordRow, UNHARMED } from './src/record-row.ts'

const llamaServer = findLlamaServer()
/** Longer than any answer takes. */
const PATIENT = { deadline_ms: 30_000 }
const { terminalErrors: _, ...BUT_CUT } = UNHARMED

const isAnotherEngine = (fleet: Fleet, pool: string, before: number) =>
  until('another engine serves', async () => {
    const { pid, ready } = await operatorOf(fleet).pool(pool)
    return ready && pid !== null && pid !== before
  })

const suite = (program: string) => {
  it('[002-28b2] loses no request to planned changes', async () => {
    await using fleet = await startLlamaHosts(program)
    const [spare, broken] = [join(fleet.dir, 'spare.gguf'), join(fleet.dir, 'broken.gguf')]
    await writeGgufImage(spare, tinyGguf({ seed: 2 }))
    // A model that can be read, of an architecture that the engine does not know.
    const known = await readFile(TINY_MODEL, 'latin1')
    await writeFile(broken, known.replace('llama', 'lluma'), 'latin1')
    const { command, ended } = operatorOf(fleet)
    await using traffic = trafficOnLlama(fleet, { seed: 171 })
    const outcome = async (name: string, body: object = {}) => {
      const { status, rolled_back } = await ended(await command('one', name, body))
      await moreHaveEnded(traffic, 8)
      return rolled_back ? 'rolled back' : status
    }
    const reloadTo = (path: string) =>
      outcome('reload', { new_model_ref: `file:${path}`, ...PATIENT })
    const outcomes = [
      await outcome('drain', PATIENT),
      await outcome('undrain'),
      await outcome('restart', PATIENT),
      await reloadTo(spare),
      await reloadTo(TINY_MODEL),
      await reloadTo(broken),
      await outcome('stop', PATIENT),
      await outcome('start'),
    ]
    const report = await traffic.stop()
    expect(outcomes).toEqual([
      ...['completed', 'completed', 'completed', 'completed', 'completed'],
      ...['rolled back', 'completed', 'completed'],
    ])
    expect(await recordRow('llama-planned', report)).toMatchObject(UNHARMED)
    expect(report.ok).toBeGreaterThan(40)
  }, 180_000)

  it('[003-IT-003] killed, ends only the streams it was in, and comes back', async () => {
    await using fleet = await startLlamaHosts(program)
    await using traffic = trafficOnLlama(fleet, { mix: { stream: 6, whole: 1 }, seed: 131 })
    await moreHaveEnded(traffic, 6)
    const { pool, enginePid } = await busyLlama(fleet)
    kill(enginePid, 'SIGKILL')
    await isAnotherEngine(fleet, pool, enginePid)
    await moreHaveEnded(traffic, 12)
    const report = await traffic.stop()
    expect(await recordRow('llama-killed', report)).toMatchObject(BUT_CUT)
    const hit = report.terminalErrors.map((error) => ({ pool: error.pool, code: error.code }))
    expect(hit).toEqual(hit.map(() => ({ pool, code: 'WORKER_RESET' })))
    const { transitions } = await operatorOf(fleet).pool(pool)
    const reasons = transitions.map(({ reason }) => reason).join()
    expect(reasons).toContain('SIGKILL')
  }, 120_000)

  it('frozen, is restarted, though its port is open', async () => {
    const lifecycle = { stall_timeout_s: 2, health_check_timeout_s: 1 }
    await using fleet = await startLlamaHosts(program, {}, lifecycle)
    await using traffic = trafficOnLlama(fleet, { mix: { stream: 1 }, seed: 181 })
    await moreHaveEnded(traffic, 6)
    const { pool, enginePid } = await busyLlama(fleet)
    kill(enginePid, 'SIGSTOP')
    await isAnotherEngine(fleet, pool, enginePid)
    await moreHaveEnded(traffic, 12)
    const report = await traffic.stop()
    expect(await recordRow('llama-frozen', report)).toMatchObject(BUT_CUT)
  }, 120_000)

  it('runs on while agents are stopped one after the other, and no request is lost', async () => {
    const pids: number[] = []
    // Their agents leave them on purpose.
    using _left = { [Symbol.dispose]: () => pids.forEach((pid) => kill(pid, 'SIGKILL')) }
    await using fleet = await startLlamaHosts(program, {
      agentFlags: { '--drain-timeout-ms': 20_000, '--stop-engines-on-exit': 'false' },
    })
    pids.push(...(await llamaPids(fleet)).filter((pid) => pid !== null))
    expect(pids).toHaveLength(2)
    await using traffic = trafficOnLlama(fleet, { seed: 151 })
    for (const [host, pool] of [['h1', 'one'] as const, ['h2', 'two'] as const]) {
      await moreHaveEnded(traffic, 6)
      await fleet.agent(host).end('SIGTERM')
      await fleet.agent(host).restart()
      await fleet.poolIsReady(pool)
    }
    await servedSince(traffic, performance.now(), 6)
    expect(await recordRow('llama-agents-rolled', await traffic.stop())).toMatchObject(UNHARMED)
    expect(await llamaPids(fleet)).toEqual(pids)
  }, 120_000)

  it('is taken over by the next life of an agent that was killed', async () => {
    await using fleet = await startLlamaHosts(program)
    await using traffic = trafficOnLlama(fleet, { seed: 161 })
    await moreHaveEnded(traffic, 6)
    const { host, pool, enginePid } = await busyLlama(fleet)
    await fleet.agent(host).end('SIGKILL')
    await fleet.agent(host).restart()
    await fleet.poolIsReady(pool)
    await moreHaveEnded(traffic, 6)
    await traffic.stop()
    expect((await operatorOf(fleet).pool(pool)).pid).toBe(enginePid)
    // The streams that were cut hold no slot of it.
    await until('its slots are free', async () => {
      const { active_leases: leases } = await operatorOf(fleet).pool(pool)
      return leases === 0
    })
  }, 120_000)
}

if (llamaServer === undefined) {
  describe.skip(`llama-server under traffic (skipped: there is none, see tools/llama-server)`, () => {
    it('is drained, killed, frozen and taken over', () => undefined)
  })
} else {
  describe('the real llama-server under traffic', () => suite(llamaServer))
}
