import { join } from 'node:path'
import { assertSafeShardFilename } from '@huggingface/hub'
import { readRange, regularSize } from './regular-file.ts'

/** A name no network knows: what asks for it is answered from a folder. */
export const LOCAL_HUB = 'http://localhost.invalid'
const LOCAL_REPOSITORY = 'local/model'

/** A repository that `localFetch` answers for. */
export const localRepository = { type: 'model', name: LOCAL_REPOSITORY } as const

/**
 * A `fetch` that never leaves the machine: it reads ranges of the files of a folder, as a hub
 * answers them.
 */
export const localFetch = (dir: string): typeof fetch => {
  const prefix = `${LOCAL_HUB}/${LOCAL_REPOSITORY}/resolve/main/`
  return async (input, init) => {
    const url = input instanceof Request ? input.url : String(input)
    if (!url.startsWith(prefix)) throw new Error(`nothing is fetched from ${url.slice(0, 80)}`)
    const name = decodeURIComponent(url.slice(prefix.length))
    assertSafeShardFilename(name)
    const path = join(dir, name)
    const size = await regularSize(path)
    const range = /^bytes=(\d+)-(\d+)$/.exec(new Headers(init?.headers).get('range') ?? '')
    if (!range) return new Response(null, { status: 416 })
    const start = Number(range[1])
    const end = Math.min(Number(range[2]) + 1, size, start + MAX_RANGE_BYTES)
    const body = await readRange(path, start, end)
    const headers = {
      'content-range': `bytes ${start}-${Math.max(start, end - 1)}/${size}`,
      etag: '"local"',
    }
    return new Response(new Uint8Array(body), { status: 206, headers })
  }
}

const MAX_RANGE_BYTES = 32 * 1024 ** 2
