import { mkdir, mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it } from '@jest/globals'
import { BerthError } from '@berth/kernel'
import fc from 'fast-check'
import { createStorePaths, FILES_DIR, isInside, shortHash } from '../disk/store-paths.ts'
import { repositoryDir } from '../source/hub-source.ts'
import { isSafePath } from '../source/repository-path.ts'
import { createTestStore } from '../testing/index.ts'
import type { ModelSourceRef } from './model-ref.ts'
import { parseModelRef } from './parse-model-ref.ts'

const piece = fc.oneof(
  fc.constantFrom('..', '.', '-', '--', '/', '\\', '\0', '\n', '%2e%2e', '@', ':', 'a', 'main'),
  fc.constantFrom('sha256:', 'org/name', 'model.gguf', '\u202e', '\ud800', ' ', '*', '~', '?', '#'),
  fc.string({ unit: 'binary', maxLength: 12 }),
)
const hostile = fc
  .tuple(
    fc.constantFrom('hf:', 'file:', 'https://', 'http://', 'ollama:', 'oci:', 'oci:h.io/', ''),
    fc.array(piece, { maxLength: 12 }),
  )
  .map(([scheme, pieces]) => scheme + pieces.join(''))

const read = (ref: string): ModelSourceRef | undefined => {
  try {
    return parseModelRef(ref)
  } catch (error) {
    expect(error).toBeInstanceOf(BerthError)
    expect(error).toMatchObject({ reason: 'INVALID_PARAMS' })
    expect((error as Error).message).not.toMatch(/[\p{Cc}\p{Cf}]/u)
    return undefined
  }
}

/** Where the store would put files of it, with what the reference decides of their paths. */
const pathsOf = (ref: ModelSourceRef): string[] => {
  switch (ref.scheme) {
    case 'hf':
      return [
        `${repositoryDir(ref.repository)}/refs/${ref.revision}`,
        `${repositoryDir(ref.repository)}/blobs/x`,
      ]
    case 'https':
      return [`${FILES_DIR}/${shortHash(ref.canonical)}/${ref.fileName}`]
    default:
      return []
  }
}

it('reads any text as a reference or refuses it, and never leads out of the store', () => {
  const paths = createStorePaths('/store')
  fc.assert(
    fc.property(fc.oneof(hostile, fc.string({ unit: 'binary' })), (text) => {
      const ref = read(text)
      if (ref === undefined) return
      for (const path of pathsOf(ref)) {
        const top = path.split('/').slice(0, 2).join('/')
        expect(isInside(`/store/${top}`, paths.at(path))).toBe(true)
      }
    }),
    { numRuns: 1_000 },
  )
})

it('reads what it read as the same again', () => {
  fc.assert(
    fc.property(hostile, (text) => {
      const ref = read(text)
      if (ref === undefined) return
      expect(parseModelRef(ref.canonical).canonical).toBe(ref.canonical)
    }),
    { numRuns: 1_000 },
  )
})

it('takes no name of a repository’s file that leads out of its folder', () => {
  fc.assert(
    fc.property(
      fc.array(piece, { maxLength: 8 }).map((pieces) => pieces.join('')),
      (path) => {
        if (!isSafePath(path)) return
        expect(isInside('/store/snap', createStorePaths('/store').at(`snap/${path}`))).toBe(true)
      },
    ),
    { numRuns: 1_000 },
  )
})

it('is asked for any text without more than a refusal, and nothing appears beside the store', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'berth-hostile-'))
  const store = await createTestStore([], {
    ...{ root: join(folder, 'store'), fileRoots: [join(folder, 'models')] },
    isOffline: () => true,
  })
  await mkdir(join(folder, 'models'))
  await fc.assert(
    fc.asyncProperty(hostile, async (text) => {
      const end = await store
        .ensurePresent(text, { want: 'snapshot' })
        .catch((error: unknown) => error)
      expect(end).toBeInstanceOf(BerthError)
      expect(end).not.toMatchObject({ reason: 'INTERNAL' })
    }),
    { numRuns: 150 },
  )
  expect((await readdir(folder)).sort()).toEqual(['models', 'store'])
  await store.dispose()
  await rm(folder, { recursive: true })
})
