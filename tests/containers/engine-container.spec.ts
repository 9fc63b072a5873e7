import { execFile } from 'node:child_process'
import { copyFile, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { beforeAll, describe, expect, it, jest } from '@jest/globals'
import { freePort, startFleet, until, type Fleet, type PoolEntry } from '@berth/test-support'
import { findBaseImages } from './support/base-images.ts'
import { root } from './support/build-images.ts'
import { findDocker } from './support/docker.ts'

// An image is made, and containers start on a machine that may be busy.
jest.setTimeout(180_000)

const docker = await findDocker()
const TAG = 'berth-test/sim-engine:test'
const NONE = '0000000000000000'

interface PoolView {
  readonly ready: boolean
  readonly state: string
  readonly pid: number
  readonly instance_id: string
  readonly last_error: string | null
}
interface Identity {
  readonly uid: number
  readonly cap_eff: string
  readonly cap_bnd: string
  readonly no_new_privs: boolean
  readonly cwd: string
  readonly home: string
}
interface Inspected {
  readonly Id: string
  readonly HostConfig: {
    readonly ReadonlyRootfs: boolean
    readonly Privileged: boolean
    readonly CapDrop: readonly string[]
    readonly SecurityOpt: readonly string[]
    readonly RestartPolicy: { readonly Name: string }
    readonly PortBindings: Readonly<Record<string, readonly { readonly HostIp: string }[]>>
  }
  readonly Config: { readonly Env: readonly string[]; readonly Image: string }
}

const run = async (...args: readonly string[]): Promise<string> =>
  (await promisify(execFile)('docker', [...args], { timeout: 60_000 })).stdout.trim()

/** An image with the simulator where the agent looks for our own engines, by its digest. */
const buildImage = async (node: string): Promise<string> => {
  const dir = await mkdtemp(join(tmpdir(), 'berth-image-'))
  await copyFile(join(root, 'dist/sim-engine.js'), join(dir, 'sim-engine.js'))
  await writeFile(join(dir, 'package.json'), '{"type":"module"}')
  const lines = [`FROM ${node}`, 'COPY sim-engine.js package.json /opt/berth/']
  await writeFile(join(dir, 'Dockerfile'), lines.join('\n'))
  await run('build', '--quiet', `--tag=${TAG}`, dir)
  await rm(dir, { recursive: true })
  return run('inspect', '--format={{.Id}}', TAG)
}

const pool = async (image: string, more: object = {}): Promise<PoolEntry> => {
  const enginePort = await freePort()
  const lifecycle = { port: enginePort, health_check_interval_s: 0.5, shutdown_grace_s: 2, ...more }
  const entry = { id: 'a', engine: 'sim', model: 'sim-model', slots: 2, lifecycle }
  return { enginePort, entry: { ...entry, runtime: 'docker', image } }
}
const view = (fleet: Fleet) => fleet.get<PoolView>('/v1/pools/a')
const containersOf = async (instanceId: string): Promise<readonly string[]> =>
  (await run('ps', '--all', '--quiet', '--no-trunc', `--filter=label=berth.instance=${instanceId}`))
    .split('\n')
    .filter(Boolean)

if (docker.kind === 'missing') {
  describe.skip(`engines in containers (skipped: ${docker.reason})`, () => {
    it('run hardened', () => undefined)
  })
} else {
  let image: string
  beforeAll(async () => {
    image = await buildImage((await findBaseImages(docker.engine)).BERTH_NODE_IMAGE)
  }, 420_000)
  const start = async (more: object = {}, agentFlags = {}) =>
    startFleet({ hosts: [{ hostId: 'h1', pools: [await pool(image, more)] }], agentFlags })

  describe('an engine in a container [002-10a2, 002-20b]', () => {
    it('serves, hardened as its command line says, seen from inside and from outside', async () => {
      await using fleet = await start({}, { '--stop-engines-on-exit': 'true' })
      const answer = await fleet.chat({ model: 'sim-model', max_tokens: 4 })
      expect(answer.status).toBe(200)
      const state = await fetch(`${fleet.sim('a').url}/__sim/state`)
      const { identity } = (await state.json()) as { readonly identity: Identity }
      expect(identity).toMatchObject({
        ...{ cap_eff: NONE, cap_bnd: NONE, no_new_privs: true },
        ...{ cwd: '/home/engine', home: '/home/engine' },
      })
      expect(identity.uid).not.toBe(0)
      const { instance_id: instanceId } = await view(fleet)
      const [id = ''] = await containersOf(instanceId)
      const [seen] = JSON.parse(await run('inspect', id)) as readonly Inspected[]
      expect(seen!.HostConfig).toMatchObject({
        ...{ ReadonlyRootfs: true, Privileged: false, CapDrop: ['ALL'] },
        ...{ SecurityOpt: ['no-new-privileges'], RestartPolicy: { Name: 'no' } },
      })
      const bindings = Object.values(seen!.HostConfig.PortBindings).flat()
      expect(bindings.map(({ HostIp }) => HostIp)).toEqual(['127.0.0.1'])
    })

    it('is stopped with its pool, and nothing of it is left', async () => {
      await using fleet = await start({}, { '--stop-engines-on-exit': 'true' })
      const { instance_id: instanceId } = await view(fleet)
      expect(await containersOf(instanceId)).toHaveLength(1)
      await fleet.agent('h1').end('SIGTERM')
      expect(await containersOf(instanceId)).toEqual([])
    })

    it('that is killed is told by its signal and started again', async () => {
      await using fleet = await start({}, { '--stop-engines-on-exit': 'true' })
      const before = await view(fleet)
      await run('kill', `berth-${before.instance_id}`)
      const after = await until('another instance is ready', async () => {
        const now = await view(fleet)
        return now.ready && now.instance_id !== before.instance_id ? now : undefined
      })
      expect(await containersOf(before.instance_id)).toEqual([])
      expect(await containersOf(after.instance_id)).toHaveLength(1)
      const ends = (await fleet.agent('h1').lines()).filter(({ msg }) => msg === 'engine ended')
      expect(ends).toMatchObject([{ crash_kind: 'signal', signal: 'SIGKILL' }])
    })

    it('is taken over by the next life of the agent, by its name and its mark', async () => {
      await using fleet = await start()
      const before = await view(fleet)
      const [id] = await containersOf(before.instance_id)
      await fleet.agent('h1').end('SIGKILL')
      await fleet.agent('h1').restart()
      const after = await until('the pool is ready again', async () => {
        const now = await view(fleet)
        return now.ready ? now : undefined
      })
      expect(after).toMatchObject({ instance_id: before.instance_id, pid: before.pid })
      expect(await containersOf(after.instance_id)).toEqual([id])
      await run('rm', '--force', id ?? '')
    })
  })
}
