import { join } from 'node:path'
import { assertSafeShardFilename } from '@huggingface/hub'
import { HeaderFault } from './header-fault.ts'
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
    return answerRange(path, size, init)
  }
}

/** Where `fileFetch` answers from: whatever is asked for, it is the one file. */
export const LOCAL_FILE = `${LOCAL_HUB}/model.gguf`

/**
 * A `fetch` of one file. The parser of GGUF asks for one piece after the other, and takes what is
 * behind the end of a file for zeros: it gets one such piece, since it reads ahead, and no more.
 */
export const fileFetch = (path: string, size: number): typeof fetch => {
  return async (_, init) => answerRange(path, size, init)
}

const answerRange = async (
  path: string,
  size: number,
  init: RequestInit | undefined,
): Promise<Response> => {
  const range = /^bytes=(\d+)-(\d+)$/.exec(new Headers(init?.headers).get('range') ?? '')
  if (!range) return new Response(null, { status: 416 })
  const start = Number(range[1])
  const length = Math.min(Number(range[2]) + 1 - start, MAX_RANGE_BYTES)
  if (start >= size + length) {
    throw new HeaderFault(path, `its header does not end within ${size} bytes`)
  }
  const end = Math.min(start + length, size)
  const body = await readRange(path, start, end)
  const headers = {
    'content-range': `bytes ${start}-${Math.max(start, end - 1)}/${size}`,
    etag: '"local"',
  }
  return new Response(new Uint8Array(body), { status: 206, headers })
}

const MAX_RANGE_BYTES = 32 * 1024 ** 2
