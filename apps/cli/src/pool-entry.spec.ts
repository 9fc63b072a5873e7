import { mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { findNewestGguf } from './find-gguf.ts'
import { loadingText } from './loading-text.ts'
import { modelOfEntry, poolEntry } from './pool-entry.ts'
import { inTenths } from './status-line.ts'

let folder = ''
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'berth-models-'))
  mkdirSync(join(folder, 'hub/x'), { recursive: true })
  const files = ['old.gguf', 'hub/x/new-00001-of-00002.gguf', 'hub/x/new-00002-of-00002.gguf']
  for (const [n, name] of [...files, 'berth-tiny.gguf', 'a.txt'].entries()) {
    writeFileSync(join(folder, name), '')
    utimesSync(join(folder, name), n, n)
  }
})
afterAll(() => rmSync(folder, { recursive: true }))

describe('the entry that up writes', () => {
  it('names a model file by its absolute path, which must be there', () => {
    const engine = { engine: 'embedded', why: '' } as const
    const path = join(folder, 'old.gguf')
    expect(modelOfEntry(engine, path)).toBe(`file:${path}`)
    expect(modelOfEntry(engine, `file:${path}`)).toBe(`file:${path}`)
    expect(modelOfEntry(engine, 'hf:o/n:Q4_0')).toBe('hf:o/n:Q4_0')
    expect(() => modelOfEntry(engine, join(folder, 'gone.gguf'))).toThrow('There is no model file')
  })

  it('leaves names to servers that know them, and folders to vLLM', () => {
    expect(modelOfEntry({ engine: 'ollama', why: '' }, 'ollama:phi4')).toBe('phi4')
    expect(modelOfEntry({ engine: 'llamacpp', url: 'http://h', why: '' }, 'name')).toBe('name')
    expect(modelOfEntry({ engine: 'vllm', why: '' }, 'org/name')).toBe('org/name')
    expect(modelOfEntry({ engine: 'vllm', why: '' }, folder)).toBe(`file:${folder}`)
  })

  it('watches a server that runs, and starts and ends a program of its own', () => {
    expect(poolEntry({ engine: 'ollama', url: 'http://h', why: '' }, 'phi4', [])).toEqual({
      ...{ id: 'local', engine: 'ollama', model: 'phi4', mode: 'monitored', url: 'http://h' },
    })
    expect(poolEntry({ engine: 'vllm', program: '/v', why: '' }, 'hf:o/n', ['0'])).toEqual({
      ...{ id: 'local', engine: 'vllm', model: 'hf:o/n', devices: ['0'] },
      lifecycle: { stop_on_exit: true, shutdown_grace_s: 2, binary_path: '/v' },
    })
  })
})

describe('the model that is kept here', () => {
  it('is the newest, named by its first file, and never the tiny one', () => {
    const newest = join(folder, 'hub/x/new-00001-of-00002.gguf')
    expect(findNewestGguf(folder, ['berth-tiny.gguf'])).toBe(newest)
    expect(findNewestGguf(join(folder, 'gone'), [])).toBeUndefined()
  })
})

describe('the status line of a pool that loads', () => {
  const POOL = {
    ...{ id: 'a', engine: 'sim', state: 'preparing', ready: false, slots_total: 1 },
    ...{ slots_free: 0, active_leases: 0 },
  }
  const load = { status: 'download', percent_complete: 42.7, bytes_downloaded: 2 ** 30 }

  it('tells the phase, how far it is, and bytes of a download', () => {
    const at = (loading: object) => loadingText([{ ...POOL, loading }])
    expect(at({ ...load, total_bytes: 3 * 2 ** 30 })).toBe('a: download 42 % (1.0 GiB of 3.0 GiB)')
    expect(at({ ...load, status: 'weights' })).toBe('a: weights 42 %')
    expect(at({ percent_complete: null })).toBe('')
    expect(at({ ...load, status: 'ready' })).toBe('')
  })

  it('is a new line of a log for each tenth only', () => {
    expect(inTenths('x · a: download 42 % (1.0 GiB of 3.0 GiB)')).toBe('x · a: download 40 %')
    expect(inTenths('x · a: download 7 %')).toBe('x · a: download 0 %')
    expect(inTenths('x · 1 of 1 pools ready')).toBe('x · 1 of 1 pools ready')
  })
})
