import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { root } from './src/project-files.ts'

const CONTRACT = 'libs/platform/contract/src'
const EXPORTED = /^export (?:const|type|enum) (\w+)/gm

let scratch = ''
beforeAll(() => {
  scratch = mkdtempSync(join(tmpdir(), 'berth-contract-'))
})
afterAll(() => rmSync(scratch, { recursive: true }))

const buf = (...args: string[]) => {
  const bin = join(root, 'node_modules/.bin')
  const env = { ...process.env, PATH: `${bin}:${process.env['PATH']}` }
  const { status, stdout, stderr } = spawnSync(join(bin, 'buf'), args, {
    cwd: root,
    env,
    encoding: 'utf8',
  })
  return { status, output: stdout + stderr }
}

const readTree = (folder: string) =>
  Object.fromEntries(
    readdirSync(folder, { recursive: true, encoding: 'utf8' })
      .filter((path) => path.endsWith('.ts'))
      .sort()
      .map((path) => [path, readFileSync(join(folder, path), 'utf8')]),
  )

describe('the contract', () => {
  it('is what `npm run generate` makes of proto/', () => {
    expect(buf('generate', '-o', scratch)).toEqual({ status: 0, output: '' })
    const committed = readTree(join(root, CONTRACT, 'gen'))
    expect(Object.keys(committed).length).toBeGreaterThan(4)
    expect(readTree(join(scratch, CONTRACT, 'gen'))).toEqual(committed)
  })

  it('exports every message, enum and service of berth.v1', () => {
    const index = readFileSync(join(root, CONTRACT, 'index.ts'), 'utf8')
    const generated = Object.entries(readTree(join(root, CONTRACT, 'gen/berth/v1')))
    const names = generated.flatMap(([, text]) => [...text.matchAll(EXPORTED)].map(([, n]) => n!))
    expect(names.filter((name) => !new RegExp(`\\b${name}\\b`).test(index))).toEqual([])
    expect(names.length).toBeGreaterThan(20)
  })

  it('[001-TC-1] passes buf lint', () => {
    expect(buf('lint')).toEqual({ status: 0, output: '' })
  })

  it('[004-23a] breaks nobody who speaks the last released version', () => {
    expect(buf('breaking', '--against', 'proto/baseline.binpb')).toEqual({ status: 0, output: '' })
  })
})
