import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { randomBytes } from 'node:crypto'
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { execPath } from 'node:process'
import { text } from 'node:stream/consumers'
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import type { StoredModel } from './model-store.ts'
import {
  createTestStore,
  serveBytes,
  startServer,
  until,
  type Served,
  type TestServer,
} from './testing/index.ts'

const MIB = 1024 * 1024
const PULL = join(import.meta.dirname, './testing/pull.ts')
const body = randomBytes(4 * MIB)

let served: Served
let server: TestServer
let root: string
let ref: string
const children: ReturnType<typeof spawn>[] = []

/** Another agent on the same folder, as a real process. */
const startPull = (end: 'leave' | 'stay' = 'leave') => {
  const child = spawn(execPath, [PULL, root, ref, server.origin, end], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  children.push(child)
  const ended = Promise.all([once(child, 'exit'), text(child.stdout)])
  const done = ended.then(([[code], out]) => {
    if (code !== 0) throw new Error(`it ended with ${code}`)
    return JSON.parse(out) as StoredModel
  })
  done.catch(() => undefined)
  return { child, done, ended, pulled: once(child.stdout, 'data') }
}

const bytesOnDisk = async (): Promise<number> => {
  const store = await createTestStore([], { root })
  const [model] = await store.list()
  return model?.bytesDone ?? 0
}

beforeEach(async () => {
  served = { body, etag: '"one"' }
  server = await startServer((request, response) => serveBytes(request, response, served))
  root = await mkdtemp(join(tmpdir(), 'berth-shared-'))
  ref = `${server.origin}/tiny.gguf`
})

afterEach(async () => {
  for (const child of children.splice(0)) child.kill('SIGKILL')
  await server.close()
  await rm(root, { recursive: true, force: true })
})

describe('two agents on one folder', () => {
  it('[002-07a] make one download of the same file, and both get it', async () => {
    let go = () => {}
    served.pause = new Promise<void>((resolve) => (go = resolve))
    served.pauseAfterBytes = MIB
    const one = startPull()
    const two = startPull()
    await until(() => server.requests.length > 0)
    // Whoever came second has to be seen waiting before the first may end.
    await until(async () => (await readdir(join(root, 'claims'))).length >= 2)
    go()
    const [first, second] = await Promise.all([one.done, two.done])
    expect(first.path).toBe(second.path)
    expect((await readFile(first.path)).equals(body)).toBe(true)
    expect(server.requests).toHaveLength(1)
    expect(await readdir(join(root, 'claims'))).toEqual([])
  }, 30_000)

  it('[002-07a] go on with what one left that was killed', async () => {
    served.pause = new Promise(() => undefined)
    served.pauseAfterBytes = 3 * MIB
    const killed = startPull()
    await until(async () => (await bytesOnDisk()) >= 2 * MIB)
    killed.child.kill('SIGKILL')
    await killed.ended
    expect(await readdir(join(root, 'claims'))).toHaveLength(1)
    const left = await bytesOnDisk()
    delete served.pause
    const model = await startPull().done
    expect((await readFile(model.path)).equals(body)).toBe(true)
    expect(server.requests.map(({ headers }) => headers.range)).toEqual([
      undefined,
      `bytes=${left}-`,
    ])
    expect(await readdir(join(root, 'claims'))).toEqual([])
  }, 30_000)

  it('do not collect what the other one uses, until it ends', async () => {
    const other = startPull('stay')
    await other.pulled
    const store = await createTestStore([server], { root })
    expect(await store.collect({ needBytes: 1 })).toEqual({ freedBytes: 0, removed: [] })
    other.child.kill('SIGKILL')
    await other.ended
    expect(await store.collect({ needBytes: 1 })).toEqual({
      ...{ freedBytes: body.length, removed: [ref] },
    })
  }, 30_000)
})
