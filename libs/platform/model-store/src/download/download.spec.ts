import { createHash, randomBytes } from 'node:crypto'
import { readdir, readFile, stat, truncate } from 'node:fs/promises'
import { dirname } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import type { EnsureOptions, FetchProgress } from '../model-store.ts'
import { createTestStore, type TestStore } from '../testing/test-store.ts'
import { until } from '../testing/until.ts'
import { serveBytes, type Served } from '../testing/serve-bytes.ts'
import { startServer, type TestServer } from '../testing/start-server.ts'

const MIB = 1024 * 1024
const body = randomBytes(3 * MIB)
const digest = `sha256:${createHash('sha256').update(body).digest('hex')}`

let served: Served
let server: TestServer
let store: TestStore
let onRequest: () => void

const fetch = (options: Partial<EnsureOptions> = {}, into = store) =>
  into.ensurePresent(`${server.origin}/models/tiny.gguf`, { want: 'gguf', ...options })
const ranges = () => server.requests.map(({ headers }) => headers.range)

beforeEach(async () => {
  served = { body, etag: '"one"' }
  onRequest = () => {}
  server = await startServer((request, response) => {
    onRequest()
    return serveBytes(request, response, served)
  })
  store = await createTestStore([server])
})

afterEach(async () => {
  await store.dispose()
  await server.close()
})

describe('a download', () => {
  it('brings the file, with its digest, readable for engines of other users', async () => {
    const model = await fetch({ digest })
    expect(model).toMatchObject({ kind: 'file', digest, sizeBytes: body.length, isComplete: true })
    expect((await readFile(model.path)).equals(body)).toBe(true)
    expect((await stat(model.path)).mode & 0o777).toBe(0o644)
    expect(await readdir(dirname(model.path))).toEqual(['tiny.gguf'])
  })

  it('[002-07a] goes on where a connection was cut, and hashes what was there before', async () => {
    served.cutAfterBytes = [MIB, MIB]
    const model = await fetch({ digest })
    expect((await readFile(model.path)).equals(body)).toBe(true)
    const [first, ...resumed] = ranges()
    expect(first).toBeUndefined()
    expect(resumed).toEqual([expect.stringMatching(/^bytes=\d{5,7}-$/), expect.any(String)])
    expect(server.requests[1]?.headers['if-range']).toBe('"one"')
  })

  it('stops at its signal, and goes on later, with another store on the same folder', async () => {
    const controller = new AbortController()
    served.pause = new Promise(() => undefined)
    served.pauseAfterBytes = 2 * MIB
    const stopped = fetch({ signal: controller.signal })
    await until(async () => ((await store.list())[0]?.bytesDone ?? 0) > MIB)
    controller.abort(new Error('left'))
    await expect(stopped).rejects.toThrow('left')
    await store.close()
    const [unfinished] = await store.list()
    expect(unfinished).toMatchObject({ isComplete: false })
    delete served.pause
    const later = await createTestStore([server], { root: store.root })
    const model = await fetch({ digest }, later)
    await later.dispose()
    expect((await readFile(model.path)).equals(body)).toBe(true)
    expect(ranges().at(-1)).toBe(`bytes=${unfinished!.bytesDone}-`)
  })

  it('starts over when the source has changed in between', async () => {
    served.cutAfterBytes = [MIB]
    const changed = randomBytes(2 * MIB)
    onRequest = () => {
      if (server.requests.length === 2) Object.assign(served, { body: changed, etag: '"two"' })
    }
    const model = await fetch()
    expect((await readFile(model.path)).equals(changed)).toBe(true)
    expect(ranges()).toEqual([undefined, expect.stringMatching(/^bytes=\d+-$/)])
    expect(server.requests[1]?.headers['if-range']).toBe('"one"')
  })

  it('never joins two versions, though the source ignores what it is asked to compare', async () => {
    Object.assign(served, { cutAfterBytes: [MIB], ignoresIfRange: true })
    const changed = randomBytes(2 * MIB)
    onRequest = () => {
      if (server.requests.length === 2) Object.assign(served, { body: changed, etag: '"two"' })
    }
    const model = await fetch()
    expect((await readFile(model.path)).equals(changed)).toBe(true)
    expect(ranges()).toEqual([undefined, expect.stringMatching(/^bytes=\d+-$/), undefined])
  })

  it('starts over when the source ignores ranges', async () => {
    Object.assign(served, { cutAfterBytes: [MIB], ignoresRange: true })
    const model = await fetch({ digest })
    expect((await readFile(model.path)).equals(body)).toBe(true)
  })

  it('resumes nothing of a source that does not name its version', async () => {
    delete served.etag
    served.cutAfterBytes = [MIB]
    const model = await fetch()
    expect((await readFile(model.path)).equals(body)).toBe(true)
    expect(ranges()).toEqual([undefined, undefined])
  })

  it('gives up a source that always breaks off, and says how far it came', async () => {
    served.cutAfterBytes = Array.from({ length: 9 }, () => 256 * 1024)
    const refusal = await fetch().catch((error: unknown) => error)
    expect(refusal).toMatchObject({
      reason: 'MODEL_LOAD_FAILED',
      message: expect.stringMatching(/broke off.*; [1-9]\d+ bytes are here and are kept/),
      facts: { bytes_done: expect.any(Number) },
    })
    expect(server.requests).toHaveLength(4)
  })

  it('takes no end of an answer for the end of the file', async () => {
    // A length that is announced and not kept is seen by the client of HTTP; a file that is
    // shorter than the source said before is seen by its digest.
    served.body = body.subarray(0, MIB)
    await expect(fetch({ digest })).rejects.toMatchObject({ reason: 'UNTRUSTED_ARTIFACT' })
  })

  it('refuses content that is not what it should be, and leaves none of it', async () => {
    const wrong = `sha256:${'0'.repeat(64)}`
    await expect(fetch({ digest: wrong })).rejects.toMatchObject({
      reason: 'UNTRUSTED_ARTIFACT',
      message: expect.stringContaining(digest.slice('sha256:'.length)),
    })
    const [left] = await store.list()
    expect(left).toMatchObject({ isComplete: false, bytesDone: 0 })
  })

  it('drops a part that was spoilt on the disk, and fetches it anew', async () => {
    served.cutAfterBytes = [2 * MIB]
    const strict = await createTestStore([server], {
      ...{ root: store.root, retry: { maxFailures: 0, firstDelayMs: 1 } },
    })
    await expect(fetch({ digest }, strict)).rejects.toMatchObject({ reason: 'MODEL_LOAD_FAILED' })
    const [left] = await strict.list()
    await strict.dispose()
    await truncate(`${left!.path}.part`, MIB)
    await truncate(`${left!.path}.part`, left!.bytesDone)
    const model = await fetch({ digest })
    expect((await readFile(model.path)).equals(body)).toBe(true)
    expect(ranges()).toEqual([undefined, `bytes=${left!.bytesDone}-`, undefined])
  })

  it('tries again when a source is busy, and not when it refuses', async () => {
    served.statuses = [503, 429, 500]
    await fetch({ digest })
    expect(server.requests).toHaveLength(4)
    served.statuses = [404]
    await expect(fetch({ isRefresh: true })).rejects.toMatchObject({ reason: 'MODEL_NOT_FOUND' })
    expect(server.requests).toHaveLength(5)
  })

  it('[001-LDR-9] tells a source that fell silent as what ran out of time', async () => {
    served.pause = new Promise(() => undefined)
    served.pauseAfterBytes = MIB
    const hasty = await createTestStore([server], {
      ...{ silenceMs: 60, retry: { maxFailures: 0, firstDelayMs: 1 } },
    })
    await expect(fetch({}, hasty)).rejects.toMatchObject({
      reason: 'MODEL_LOAD_FAILED',
      message: expect.stringContaining('nothing more arrived for 60 ms'),
    })
    await hasty.dispose()
  })

  it('keeps what is here when a newer one cannot be fetched', async () => {
    await fetch()
    served.statuses = [404]
    await expect(fetch({ isRefresh: true })).rejects.toMatchObject({ reason: 'MODEL_NOT_FOUND' })
    const here = await store.find(`${server.origin}/models/tiny.gguf`, { want: 'gguf' })
    expect(here).toMatchObject({ isComplete: true })
  })

  it('reports at most twice a second', async () => {
    const seen: FetchProgress[] = []
    await fetch({ onProgress: (progress) => seen.push(progress) })
    // One when it asks, one of the first bytes, one at the end; 3 MiB take no half second.
    expect(seen.length).toBeLessThanOrEqual(4)
    expect(seen.at(-1)).toMatchObject({ bytesDone: body.length })
  })
})

describe('several callers of one model', () => {
  it('[002-07a] share one download', async () => {
    const [one, two] = await Promise.all([fetch(), fetch()])
    expect(one.path).toBe(two.path)
    expect(server.requests).toHaveLength(1)
  })

  it('may leave one by one; the last one ends it', async () => {
    let go = () => {}
    served.pause = new Promise<void>((resolve) => (go = resolve))
    served.pauseAfterBytes = MIB
    const first = new AbortController()
    const leaving = fetch({ signal: first.signal })
    const staying = fetch()
    first.abort(new Error('left early'))
    await expect(leaving).rejects.toThrow('left early')
    go()
    expect(await staying).toMatchObject({ isComplete: true })
    expect(server.requests).toHaveLength(1)
  })
})
