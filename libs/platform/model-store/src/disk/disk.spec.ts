import { execFileSync, spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { mkdir, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { getuid } from 'node:process'
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import {
  createTestStore,
  serveBytes,
  startServer,
  type Served,
  type TestServer,
  type TestStore,
} from '../testing/index.ts'

const MIB = 1024 * 1024

let served: Record<string, Served>
let server: TestServer
let onRequest: () => void

beforeEach(async () => {
  served = {}
  onRequest = () => {}
  server = await startServer((request, response) => {
    onRequest()
    return serveBytes(request, response, served[request.url ?? '']!)
  })
})
afterEach(() => server.close())

/** Only root may mount a small disk. */
const canMount = getuid?.() === 0
if (!canMount) process.stderr.write('SKIPPED model-store disk: mounting a small disk needs root\n')
const suite = canMount ? describe : describe.skip

suite('a disk that is too small', () => {
  let disk: string
  let store: TestStore
  beforeEach(async () => {
    disk = mkdtempSync(join(tmpdir(), 'berth-small-disk-'))
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=4m', 'tmpfs', disk])
    store = await createTestStore([server], { root: disk })
  })
  afterEach(async () => {
    await store.dispose()
    execFileSync('umount', ['--lazy', disk])
    rmSync(disk, { recursive: true })
  })
  const fetch = (path = '/big.gguf') =>
    store.ensurePresent(`${server.origin}${path}`, { want: 'gguf' })

  it('is found before the first byte is written', async () => {
    served['/big.gguf'] = { body: randomBytes(5 * MIB), etag: '"one"' }
    await expect(fetch()).rejects.toMatchObject({
      reason: 'INSUFFICIENT_DISK',
      facts: { required_bytes: 5 * MIB, free_bytes: expect.any(Number) },
    })
    const [left] = await store.list()
    expect(left).toMatchObject({ isComplete: false, bytesDone: 0 })
  })

  it('keeps the headroom free', async () => {
    served['/big.gguf'] = { body: randomBytes(2 * MIB), etag: '"one"' }
    const careful = await createTestStore([server], { root: disk, headroomBytes: 3 * MIB })
    const refusal = careful.ensurePresent(`${server.origin}/big.gguf`, { want: 'gguf' })
    await expect(refusal).rejects.toMatchObject({
      reason: 'INSUFFICIENT_DISK',
      facts: { required_bytes: 5 * MIB },
    })
    await careful.dispose()
  })

  it('that others fill meanwhile leaves a part that is gone on with when there is room', async () => {
    const body = randomBytes(3 * MIB)
    served['/big.gguf'] = { body, etag: '"one"' }
    const filler = join(disk, 'filler')
    let isFilled = false
    onRequest = () => {
      if (isFilled) return
      isFilled = true
      writeFileSync(filler, randomBytes(2 * MIB))
    }
    // The length is not told, so that only the writing finds out.
    served['/big.gguf'].endsAfterBytes = 3 * MIB
    await expect(fetch()).rejects.toMatchObject({ reason: 'INSUFFICIENT_DISK' })
    const [left] = await store.list()
    expect(left).toMatchObject({ isComplete: false })
    expect(left!.bytesDone).toBeGreaterThan(MIB)
    await rm(filler)
    delete served['/big.gguf'].endsAfterBytes
    const model = await fetch()
    expect((await readFile(model.path)).equals(body)).toBe(true)
    expect(server.requests.at(-1)?.headers.range).toBe(`bytes=${left!.bytesDone}-`)
  })

  it.each([
    // What fills a disk ends with an error.
    ['full', (disk: string) => spawnSync('dd', ['if=/dev/zero', `of=${disk}/filler`, 'bs=4k'])],
    [
      'read-only',
      (disk: string) => execFileSync('mount', ['-t', 'tmpfs', '-o', 'remount,ro', 'tmpfs', disk]),
    ],
  ])('and is %s gives what it has', async (_what, spoil) => {
    served['/big.gguf'] = { body: randomBytes(MIB), etag: '"one"' }
    const { path } = await fetch()
    spoil(disk)
    expect(await fetch()).toMatchObject({ path, isComplete: true })
    expect(server.requests).toHaveLength(1)
  })

  it('gets room from models that nobody uses, where settings say so', async () => {
    served['/old.gguf'] = { body: randomBytes(2 * MIB), etag: '"old"' }
    served['/big.gguf'] = { body: randomBytes(3 * MIB), etag: '"one"' }
    const refs = (await store.ensurePresent(`${server.origin}/old.gguf`, { want: 'gguf' })).ref
    await expect(fetch()).rejects.toMatchObject({ reason: 'INSUFFICIENT_DISK' })
    const collecting = await createTestStore([server], { root: disk, isCollecting: true })
    await collecting.ensurePresent(`${server.origin}/big.gguf`, { want: 'gguf' })
    expect((await collecting.list()).map(({ ref }) => ref)).not.toContain(refs)
    await collecting.dispose()
  })
})

describe('a store that is tidied up', () => {
  let folder: string
  let store: TestStore
  const inUse = new Set<string>()
  const refOf = (name: string) => `${server.origin}/${name}.gguf`
  const fetch = (name: string) => {
    served[`/${name}.gguf`] ??= { body: randomBytes(1_000), etag: '"one"' }
    return store.ensurePresent(refOf(name), { want: 'gguf' })
  }
  const names = async () =>
    (await store.list()).map(({ ref }) => /\/(\w+)\.gguf$/.exec(ref)?.[1]).sort()

  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'berth-tidy-'))
    inUse.clear()
    store = await createTestStore([server], {
      root: join(folder, 'store'),
      isInUse: ({ ref }) => inUse.has(ref),
    })
    for (const name of ['a', 'b', 'c', 'd']) await fetch(name)
  })
  afterEach(async () => {
    await store.dispose()
    rmSync(folder, { recursive: true, force: true })
  })

  it('frees what was not used for longest, and no more than is needed', async () => {
    await store.touch(refOf('a'))
    const { freedBytes, removed } = await store.collect({ needBytes: 1_500 })
    expect({ freedBytes, removed }).toEqual({
      freedBytes: 2_000,
      removed: [refOf('b'), refOf('c')],
    })
    expect(await names()).toEqual(['a', 'd'])
  })

  it('never frees what is in use, pinned or unfinished, and says so by freeing less', async () => {
    inUse.add(refOf('a'))
    await store.pin(refOf('b'), true)
    served['/e.gguf'] = { body: randomBytes(MIB), etag: '"one"', statuses: [404] }
    await expect(fetch('e')).rejects.toMatchObject({ reason: 'MODEL_NOT_FOUND' })
    const isInUse = ({ ref }: { readonly ref: string }) => ref === refOf('c')
    expect(await store.collect({ needBytes: 1e9, isInUse })).toEqual({
      ...{ freedBytes: 1_000, removed: [refOf('d')] },
    })
    expect(await names()).toEqual(['a', 'b', 'c', 'e'])
  })

  it('removes a model by name with all that belongs to it', async () => {
    const model = await fetch('a')
    expect(await store.remove(refOf('a'))).toBe(1_000)
    await expect(stat(model.path)).rejects.toThrow('ENOENT')
    await expect(store.remove(refOf('a'))).rejects.toMatchObject({ reason: 'MODEL_NOT_FOUND' })
    expect(await store.find(refOf('a'), { want: 'gguf' })).toBeUndefined()
  })

  it('refuses to remove what is in use or being fetched', async () => {
    inUse.add(refOf('a'))
    await expect(store.remove(refOf('a'))).rejects.toMatchObject({ reason: 'ACTIVE_REQUESTS' })
    let go = () => {}
    const pause = new Promise<void>((resolve) => (go = resolve))
    served['/e.gguf'] = { body: randomBytes(1_000), etag: '"one"', pause }
    const fetching = fetch('e')
    for (const until = Date.now() + 5_000; Date.now() < until && server.requests.length < 5;)
      await new Promise((resolve) => setImmediate(resolve))
    await expect(store.remove(refOf('e'))).rejects.toMatchObject({ reason: 'ACTIVE_REQUESTS' })
    go()
    await fetching
  })

  it('touches nothing outside its folder, whatever its notes and links say', async () => {
    const outside = join(folder, 'outside')
    await mkdir(outside)
    await writeFile(join(outside, 'precious.gguf'), 'precious')
    const manifests = join(folder, 'store/manifests')
    const [name = ''] = await readdir(manifests)
    const note = JSON.parse(await readFile(join(manifests, name), 'utf8')) as object
    const plant = (key: string, path: string) =>
      writeFile(
        join(manifests, `${key}.json`),
        JSON.stringify({ ...note, ref: key, canonical: key, path, files: [{ name: 'x', path }] }),
      )
    await symlink(outside, join(folder, 'store/files/way'))
    await plant('up', '../outside/precious.gguf')
    await plant('absolute', join(outside, 'precious.gguf'))
    await plant('linked', 'files/way/precious.gguf')
    await store.collect({ needBytes: 1e9 })
    expect(await readFile(join(outside, 'precious.gguf'), 'utf8')).toBe('precious')
    expect(await names()).toEqual([])
  })
})
