import { appendFileSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals'
import { until } from '@berth/test-support'
import {
  figuresOf,
  servedAfter,
  startTraffic,
  type TrafficOptions,
  type TrafficReport,
} from '@berth/traffic'
import { findBaseImages } from './support/base-images.ts'
import { buildImages, root } from './support/build-images.ts'
import { findDocker } from './support/docker.ts'
import { createTopology, type Topology } from './support/topology.ts'

jest.setTimeout(120_000)

const docker = await findDocker()
const SERVICES = ['nats', 'core-a', 'core-b', 'gateway-a', 'gateway-b', 'pool-a', 'pool-b']
const PERFECT = { failed: 0, terminalErrors: 0, truncated: 0, mismatched: 0, duplicated: 0 }

/** Only streams: each is past its first byte at once. */
const STREAMS = { mix: { stream: 1 } } as const

let topology: Topology

if (docker.kind === 'missing') {
  describe.skip(`the compose file (skipped: ${docker.reason})`, () => {
    it('comes up from nothing and survives', () => undefined)
  })
} else {
  describe('the compose file', () => {
    beforeAll(async () => {
      const bases = await findBaseImages(docker.engine)
      await buildImages(docker.engine, bases)
      topology = await createTopology(docker, bases)
    }, 420_000)
    afterAll(async () => {
      await topology[Symbol.asyncDispose]()
    }, 60_000)

    comesUp()
    losesProcesses()
    losesConnections()
    isRestarted()
  })
}

function comesUp() {
  it('comes up from nothing and serves a completion through each gateway', async () => {
    await topology.up()
    for (const url of topology.gateways) await until(`${url} is ready`, () => isReady(url))
    const answers = await Promise.all(topology.gateways.map((url) => chat(url, 'berth-tiny')))
    expect(answers.map(({ status }) => status)).toEqual([200, 200])
    const said = await topology.logs('init')
    expect(said).toContain(`curl ${topology.gateways[0]}/v1/chat/completions`)
    expect(said).not.toMatch(/[\w-]{32}/)
  })

  it('lets nobody write outside of volumes, be root, or be reached from other machines', async () => {
    for (const service of SERVICES) {
      const { Config, HostConfig } = await (await topology.container(service)).inspect()
      const { CapDrop, PortBindings, ReadonlyRootfs } = HostConfig
      expect({ service, user: Config.User, CapDrop, ReadonlyRootfs }).toEqual({
        ...{ service, user: '10001:10001', CapDrop: ['ALL'], ReadonlyRootfs: true },
      })
      const bindings = Object.values(PortBindings ?? {}).flat() as { HostIp?: string }[]
      expect(bindings.filter(({ HostIp }) => HostIp !== '127.0.0.1')).toEqual([])
    }
  })

  it('has a NATS that answers nobody without a password', async () => {
    const knock = `const s = require('node:net').connect(4222, 'nats')
      s.write('CONNECT {"verbose":true}\\r\\nPING\\r\\n'); s.pipe(process.stdout)`
    expect(await topology.exec('gateway-a', ['node', '-e', knock])).toContain(
      'Authorization Violation',
    )
  })

  it('keeps its secrets when it is brought up again, here with a simulated engine more', async () => {
    const password = () => topology.exec('core-a', ['cat', '/run/secrets/berth/nats-password'])
    const before = await password()
    await topology.up('tests/containers/compose.sim.yaml')
    expect(await password()).toBe(before)
    await poolsAreReady()
    expect(await topology.logs('init')).toContain('The NATS passwords are there.')
  })
}

function losesProcesses() {
  it('fails nothing when the leading core is killed', async () => {
    const { service, term } = await until('a core leads', leader)
    const report = await underTraffic('core kill -9', async () => {
      await topology.kill(service, 'node *orchestrator-core.js*')
      // The other one, or this one in its next life.
      await until('a core leads anew', async () => ((await leader())?.term ?? 0) > term)
    })
    expect(figuresOf(report)).toMatchObject(PERFECT)
    await until('the other stands by', async () => (await roles()).includes('standby'))
  })

  it('fails only what a killed gateway had in hand', async () => {
    const report = await underTraffic('gateway kill -9', async () => {
      await until('it has work in hand', async () => (await inFlight(topology.gateways[0])) > 0)
      await topology.kill('gateway-a', 'node *orchestratord.js*')
      await until('gateway-a is ready', () => isReady(topology.gateways[0]))
    })
    const broken = [...report.failed, ...report.truncated]
    expect(new Set(broken.map(({ gateway }) => gateway))).toEqual(new Set([topology.gateways[0]]))
    expect(figuresOf(report)).toMatchObject({ terminalErrors: 0, mismatched: 0, duplicated: 0 })
  })

  it('ends only the streams of a killed agent, each with an error, and gets it back', async () => {
    const before = (await healthOf('sim-b')).instance_id
    const report = await underTraffic(
      'agent kill -9',
      async () => {
        await topology.kill('pool-b', 'node *pool-managerd.js*')
        await until('sim-b has a new instance', async () => isReborn('sim-b', before))
      },
      STREAMS,
    )
    expect(figuresOf(report)).toMatchObject({ ...PERFECT, terminalErrors: expect.any(Number) })
    expect(report.terminalErrors.length).toBeGreaterThan(0)
    expect(report.terminalErrors.filter(({ pool }) => pool === 'sim-a')).toEqual([])
  })

  it('ends only the streams of a killed engine, each with an error, and gets it back', async () => {
    const before = (await healthOf('sim-a')).instance_id
    const report = await underTraffic(
      'engine kill -9',
      async () => {
        await topology.kill('pool-a', '*node *sim-engine.js*')
        await until('sim-a has a new instance', async () => isReborn('sim-a', before))
      },
      STREAMS,
    )
    expect(figuresOf(report)).toMatchObject({ ...PERFECT, terminalErrors: expect.any(Number) })
    expect(report.terminalErrors.length).toBeGreaterThan(0)
    expect(report.terminalErrors.filter(({ pool }) => pool === 'sim-b')).toEqual([])
  })
}

function losesConnections() {
  it('fails nothing while NATS restarts', async () => {
    const report = await underTraffic('NATS restart', async () => {
      await topology.restart('nats')
      await topology.isHealthy('nats')
      await Promise.all(['core-a', 'core-b', 'pool-a', 'pool-b'].map(isConnected))
    })
    expect(figuresOf(report)).toMatchObject(PERFECT)
    await poolsAreReady()
  })

  it('serves from the rest while a host is cut off, and from it again once healed', async () => {
    const report = await underTraffic('host cut off for a while', async () => {
      await until(
        'sim-b has work in hand',
        async () => (await healthOf('sim-b')).active_leases! > 0,
      )
      await topology.cutOff('pool-b')
      await until('sim-b gets nothing more', async () => !isServing(await healthOf('sim-b')))
      await topology.heal('pool-b')
      await poolsAreReady()
    })
    expect(figuresOf(report)).toMatchObject({
      failed: 0,
      truncated: 0,
      mismatched: 0,
      duplicated: 0,
    })
    expect(report.terminalErrors.filter(({ pool }) => pool === 'sim-a')).toEqual([])
  })

  it('ends what a lost host had in hand with an error when it is given up', async () => {
    const report = await underTraffic(
      'host cut off for long',
      async () => {
        await until(
          'sim-b has work in hand',
          async () => (await healthOf('sim-b')).active_leases! > 0,
        )
        await topology.cutOff('pool-b')
        await until('sim-b is gone', async () => !(await healthOf('sim-b')).ready, 60_000)
        await topology.heal('pool-b')
        await poolsAreReady()
      },
      STREAMS,
    )
    expect(figuresOf(report)).toMatchObject({
      failed: 0,
      truncated: 0,
      mismatched: 0,
      duplicated: 0,
    })
    expect(report.terminalErrors.length).toBeGreaterThan(0)
    expect(report.terminalErrors.filter(({ pool }) => pool === 'sim-a')).toEqual([])
  })
}

function isRestarted() {
  it.each(['core-a', 'core-b', 'pool-a', 'pool-b'])(
    'fails nothing while %s restarts',
    async (name) => {
      const report = await underTraffic(`${name} restart`, async () => {
        await topology.restart(name)
        await topology.isHealthy(name)
        await poolsAreReady()
      })
      expect(figuresOf(report)).toMatchObject(PERFECT)
    },
  )

  it.each([
    ['gateway-a', 0, 1],
    ['gateway-b', 1, 0],
  ] as const)('finishes what %s has in hand while it restarts', async (name, index, other) => {
    // What it had begun, and what goes on elsewhere: balancers send it nothing new.
    const begun = traffic({ gateways: [topology.gateways[index]], maxRequests: 8 })
    await until('its streams flow', async () => (await inFlight(topology.gateways[index])) >= 8)
    const elsewhere = { gateways: [topology.gateways[other]] }
    const report = await underTraffic(
      `${name} restart`,
      async () => {
        await topology.restart(name)
        await until(`${name} is ready`, () => isReady(topology.gateways[index]))
      },
      elsewhere,
    )
    expect(figuresOf(report)).toMatchObject(PERFECT)
    expect(figuresOf(await begun.ended)).toMatchObject({ ...PERFECT, ok: 8 })
  })
}

const traffic = (options: Partial<TrafficOptions> = {}) =>
  startTraffic({
    gateways: topology.gateways,
    models: [{ id: 'sim-model', tokensPerS: 50 }],
    mix: { stream: 6, whole: 3, slow: 1 },
    tokens: { min: 50, max: 150 },
    concurrency: 8,
    seed: (runs += 1),
    ...options,
  })
let runs = 0

/** Clients at both gateways before, during and after a change, until it is served again. */
const underTraffic = async (
  title: string,
  change: () => Promise<void>,
  options: Partial<TrafficOptions> = {},
): Promise<TrafficReport> => {
  const running = traffic({ failsOver: true, ...options })
  await until('traffic flows', () => running.snapshot().ok >= 4)
  const brokenAtMs = performance.now()
  await change()
  const mendedAtMs = performance.now()
  await until('it is served', () => servedAfter(running.snapshot(), mendedAtMs) !== undefined)
  const report = await running.stop()
  const { sent, failed, terminalErrors, truncated, retriedInside, longestAddedWaitMs } =
    figuresOf(report)
  note({
    ...{ title, sent, failed, terminalErrors, truncated, retriedInside, longestAddedWaitMs },
    servedAfterMs: servedAfter(report, brokenAtMs),
    mendedAfterMs: Math.round(mendedAtMs - brokenAtMs),
    mishaps: [...report.failed, ...report.truncated, ...report.terminalErrors].map(
      ({ code, gateway, pool, sentAtMs, endedAtMs }) => ({
        ...{ code, gateway, pool },
        sentMs: Math.round(sentAtMs - brokenAtMs),
        endedMs: Math.round(endedAtMs - brokenAtMs),
      }),
    ),
  })
  return report
}

/** The figures of this run, for whoever reads them after it. */
const note = (figures: object) => {
  const dir = join(root, '.berth/test')
  mkdirSync(dir, { recursive: true })
  appendFileSync(join(dir, 'containers-figures.jsonl'), `${JSON.stringify(figures)}\n`)
}

const chat = (url: string, model: string) =>
  fetch(`${url}/v1/chat/completions`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify({ model, messages: [{ role: 'user', content: 'Say hello.' }] }),
    signal: AbortSignal.timeout(60_000),
  })

const isReady = async (url: string) => {
  const answer = await fetch(`${url}/readyz`).catch(() => undefined)
  return answer?.ok === true
}

interface PoolHealth {
  readonly ready?: boolean
  readonly ineligible_reason?: string | null
  readonly instance_id?: string
  readonly active_leases?: number
}

const healthOf = async (pool: string): Promise<PoolHealth> => {
  const answer = await fetch(`${topology.gateways[1]}/v1/pools/${pool}/health`)
  return (await answer.json()) as PoolHealth
}

const isServing = ({ ready, ineligible_reason }: PoolHealth) =>
  ready === true && ineligible_reason === null

const isReborn = async (pool: string, before: string | undefined) => {
  const health = await healthOf(pool)
  return isServing(health) && health.instance_id !== before
}

const poolsAreReady = async () => {
  for (const pool of ['pool-a', 'pool-b', 'sim-a', 'sim-b'])
    await until(`${pool} serves`, async () => isServing(await healthOf(pool)), 60_000)
}

const inFlight = async (url: string) => {
  const text = await (await fetch(`${url}/metrics`)).text()
  return Number(/^berth_http_inflight\S* (\d+)/m.exec(text)?.[1] ?? 0)
}

/** The status page of a service, from inside of it; undefined while it does not answer. */
const statusOf = async (
  service: string,
): Promise<Readonly<Record<string, unknown>> | undefined> => {
  const ask =
    'fetch(`http://127.0.0.1:${process.env.BERTH_HTTP_PORT}/readyz`)' +
    '.then((answer) => answer.text()).then(console.log)'
  const text = await topology.exec(service, ['node', '-e', ask]).catch(() => undefined)
  return text === undefined ? undefined : (JSON.parse(text) as Record<string, unknown>)
}

const CORES = ['core-a', 'core-b'] as const

const roles = async () => (await Promise.all(CORES.map(statusOf))).map((status) => status?.['role'])

const leader = async () => {
  const all = await Promise.all(
    CORES.map(async (service) => ({ service, status: await statusOf(service) })),
  )
  const found = all.find(({ status }) => status?.['role'] === 'leader')
  return found && { service: found.service, term: Number(found.status?.['term']) }
}

const isConnected = (service: string) =>
  until(
    `${service} is connected`,
    async () => (await statusOf(service))?.['nats'] === 'connected',
    60_000,
  )
