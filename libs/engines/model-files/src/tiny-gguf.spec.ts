import { describe, expect, it } from '@jest/globals'
import { mkdtemp, readFile, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { tinyGguf } from './tiny-gguf.ts'
import { tinyVocabulary } from './tiny-vocabulary.ts'
import { writeGgufImage } from './write-gguf-image.ts'

const sizeOfPieces = (image: ReturnType<typeof tinyGguf>): number =>
  image.pieces.reduce((sum, { bytes }) => sum + bytes.length, 0)

describe('a tiny GGUF', () => {
  it('is the same for the same options and another for another seed', () => {
    expect(tinyGguf({ seed: 4 })).toEqual(tinyGguf({ seed: 4 }))
    expect(tinyGguf({ seed: 5 })).not.toEqual(tinyGguf({ seed: 4 }))
  })

  it('starts as a GGUF v3 with 21 tensors for 2 layers', () => {
    const { bytes } = tinyGguf().pieces[0]!
    const view = new DataView(bytes.buffer)
    expect(new TextDecoder().decode(bytes.subarray(0, 4))).toBe('GGUF')
    expect(view.getUint32(4, true)).toBe(3)
    expect(view.getBigUint64(8, true)).toBe(21n)
  })

  it('keeps its pieces aligned, in order and inside the file', () => {
    const { pieces, sizeBytes } = tinyGguf({ layers: 3, dim: 96, heads: 4 })
    const data = pieces.slice(1)
    expect(data.map(({ offset }) => offset % 32)).toEqual(data.map(() => 0))
    pieces.reduce((end, { offset, bytes }) => {
      expect(offset).toBeGreaterThanOrEqual(end)
      return offset + bytes.length
    }, 0)
    expect(pieces.at(-1)!.offset + pieces.at(-1)!.bytes.length).toBeLessThanOrEqual(sizeBytes)
  })

  it('leaves the layers of a sparse model out', () => {
    const large = { layers: 16, dim: 1024, heads: 8, feedForward: 4096 }
    const image = tinyGguf({ ...large, isSparse: true })
    expect(image.sizeBytes).toBeGreaterThan(400e6)
    expect(sizeOfPieces(image)).toBeLessThan(10e6)
  })

  it('is written as it is, with holes as zeros', async () => {
    const dir = await mkdtemp(join(tmpdir(), 'berth-gguf-'))
    const path = join(dir, 'sparse.gguf')
    const image = tinyGguf({ isSparse: true })
    await writeGgufImage(path, image)
    const expected = new Uint8Array(image.sizeBytes)
    for (const { offset, bytes } of image.pieces) expected.set(bytes, offset)
    expect((await stat(path)).size).toBe(image.sizeBytes)
    expect(Buffer.compare(await readFile(path), expected)).toBe(0)
    await rm(dir, { recursive: true })
  })
})

describe('its vocabulary', () => {
  it('has each token once', () => {
    const texts = tinyVocabulary().map(({ text }) => text)
    expect(new Set(texts).size).toBe(texts.length)
  })

  it('has every beginning of every word, so that words can be merged', () => {
    const texts = new Set(tinyVocabulary().map(({ text }) => text))
    const words = tinyVocabulary().filter(({ said }) => said === 'word')
    const missing = words.flatMap(({ text }) =>
      [...text].map((_, index) => text.slice(0, index + 1)).filter((start) => !texts.has(start)),
    )
    expect(missing).toEqual([])
    expect(words.length).toBeGreaterThan(300)
  })
})
