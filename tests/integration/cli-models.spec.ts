import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals'
import { startFakeHub, type FakeHub } from '@berth/model-store/testing'
import { embeddedPool, simPool, startFleet, TINY_MODEL, type Fleet } from '@berth/test-support'
import { createRunFolder, type RunFolder } from './src/berth-command.ts'

// Real processes on a machine that may be busy.
jest.setTimeout(120_000)

const REF = 'hf:org/tiny-GGUF:tiny.gguf'

let fleet: Fleet
let hub: FakeHub
let folder: RunFolder
let digest = ''
beforeAll(async () => {
  const body = readFileSync(TINY_MODEL)
  digest = `sha256:${createHash('sha256').update(body).digest('hex')}`
  const commit = 'c'.repeat(40)
  const served = { body, isLarge: true }
  hub = await startFakeHub({ 'org/tiny-GGUF': { commit, files: { 'tiny.gguf': served } } })
  const knobs = { load_ms: 300 }
  const pools = [await simPool('a', { knobs }), embeddedPool('e')]
  fleet = await startFleet({
    hosts: [{ hostId: 'h1', pools }],
    agentEnv: { HF_ENDPOINT: hub.origin },
    agentFlags: { '--egress-private': `http://${hub.host},http://${hub.storage.host}` },
  })
  folder = createRunFolder()
}, 90_000)
afterAll(async () => {
  await folder[Symbol.asyncDispose]()
  await fleet[Symbol.asyncDispose]()
  await hub.close()
})

const models = (...args: readonly string[]) =>
  folder.berth(['models', ...args, '--url', fleet.url]).ended
const json = async (...args: readonly string[]) =>
  JSON.parse((await models(...args, '--json')).stdout) as Record<string, unknown>

describe('berth models', () => {
  it('[003-PR-10] lists the models of pools with where they are', async () => {
    const { stdout, code } = await models('ls')
    expect(stdout).toMatch(/^MODEL +POOL +ENGINE +RESIDENCY +MEMORY/m)
    expect(stdout).toMatch(/^sim-model +a +sim +resident/m)
    expect(stdout).toMatch(/^berth-tiny +e +embedded +resident/m)
    expect(code).toBe(0)
  })

  it('pulls a model, shows how far it is, lists it, fits it, and removes it', async () => {
    const goOn = Promise.withResolvers<undefined>()
    const file = hub.repositories['org/tiny-GGUF']!.files['tiny.gguf']!
    Object.assign(file, { pause: goOn.promise, pauseAfterBytes: 262_144 })
    const args = ['models', 'pull', REF, '--digest', digest, '--url', fleet.url]
    const pull = folder.berth(args)
    await pull.saw(/download +\[[#.]{24}\] +\d+ % +[\d.]+ K?i?B of 488\.8 KiB/)
    goOn.resolve(undefined)
    const ended = await pull.ended
    expect(ended.stdout).toContain(`pull of ${REF}: done in`)
    expect(ended.code).toBe(0)
    expect((await models('ls')).stdout).toMatch(
      /^hf:org\/tiny-GGUF:tiny\.gguf +488\.8 KiB +llama 0\.2M F16 +complete/m,
    )
    expect(await json('ls')).toMatchObject({
      hosts: [{ host_id: 'h1', models: [{ model_ref: REF, complete: true, digest }] }],
      silent_hosts: [],
    })
    const fit = await models('fit', REF)
    expect(fit.stdout).toMatch(/^hf:org\/tiny-GGUF:tiny\.gguf in pool a on h1: nobody can tell\. /m)
    expect(fit.stdout).toMatch(/ in pool e on h1: fits\.\n\nTERM +BYTES +HOW\nweights +\d+ /)
    expect(fit.code).toBe(0)
    const removed = await models('rm', REF)
    expect(removed.stdout).toMatch(/is gone from h1: [\d.]+ KiB freed\./)
    expect(await json('ls')).toMatchObject({ hosts: [{ models: [] }] })
    const again = await models('rm', REF)
    expect(again.code).toBe(1)
  })

  it('says why files are not what they are to be, and keeps none of them', async () => {
    const wrong = `sha256:${'0'.repeat(64)}`
    const pull = await models('pull', REF, '--digest', wrong)
    expect(pull.stdout).toContain(`pull of ${REF} failed: `)
    expect(pull.code).toBe(1)
    expect(await json('pull', REF, '--digest', wrong)).toMatchObject({
      ...{ operation_type: 'pull', status: 'failed', host_id: 'h1', backend_id: null },
      error_details: { code: 'UNTRUSTED_ARTIFACT' },
    })
    expect(await json('ls')).toMatchObject({ hosts: [{ models: [] }] })
  })

  it('loads another model into a pool and says when it serves', async () => {
    const load = await models('load', 'next', '--pool', 'a')
    expect(load).toMatchObject({ code: 0 })
    expect(load.stdout).toMatch(/(load|reload) of a: done in/)
    expect((await models('ls')).stdout).toMatch(/^next +a +sim +resident/m)
  })

  it('names the hosts and pools there are where one is wrong', async () => {
    const host = await models('pull', REF, '--host', 'h9')
    expect(host.stderr).toContain('There is no host "h9". There are: h1.')
    const pool = await models('fit', REF, '--pool', 'p9')
    expect(pool.stderr).toContain('There is no pool "p9"')
    expect([host.code, pool.code]).toEqual([1, 1])
  })
})

describe('the catalog', () => {
  const catalog = (path: string, body?: object) =>
    fetch(`${fleet.url}/v1/catalog/models${path}`, {
      method: body ? 'POST' : 'GET',
      ...(body ? { body: JSON.stringify(body) } : {}),
      headers: { 'content-type': 'application/json' },
    })

  it('vouches for files that are pulled, and outlives core', async () => {
    const entry = { model_id: 'org/tiny', model_ref: REF, digest }
    expect((await catalog('', entry)).status).toBe(201)
    const contradicted = await models('pull', REF, '--digest', `sha256:${'0'.repeat(64)}`)
    expect(contradicted.stderr).toContain('as the catalog says')
    expect((await models('pull', REF)).code).toBe(0)
    const verified = await catalog('/org/tiny/verify', {})
    expect(await verified.json()).toMatchObject({ verified: { host_id: 'h1' } })

    await fleet.core.end('SIGKILL')
    await fleet.core.restart()
    await fleet.poolIsReady('e')
    expect(await (await catalog('/org/tiny')).json()).toMatchObject({
      ...{ model_id: 'org/tiny', digest, state: 'Active', verified: { host_id: 'h1' } },
    })
    expect((await catalog('/org/tiny/state', { state: 'Retired' })).status).toBe(200)
    expect((await models('pull', REF)).stderr).toContain('is retired in the catalog')
  })
})
