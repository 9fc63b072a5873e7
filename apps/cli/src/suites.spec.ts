import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from '@jest/globals'
import { SUITES } from './suites.ts'

const root = join(import.meta.dirname, '../../..')
const read = (path: string) => readFileSync(join(root, path), 'utf8')
const argvOf = (name: string) => SUITES.find((suite) => suite.name === name)!.argv.join(' ')

describe('the gate', () => {
  it('[001-PR-4] runs every suite that jest knows, and .ci/run runs all of the gate', () => {
    const { projects } = createRequire(import.meta.url)(join(root, 'jest.config.cjs')) as {
      projects: readonly { readonly displayName: string }[]
    }
    const ran = SUITES.filter(({ kind, isOnlyInFull }) => kind === 'jest' && !isOnlyInFull)
    expect(ran.map(({ name }) => name).sort()).toEqual(
      projects.map(({ displayName }) => displayName).sort(),
    )
    for (const { name, argv } of ran) expect(argv).toContain(name)
    expect(read('.ci/run')).toContain('./berth test "$@"')
  })

  it('[001-PR-6, 002-34, 004-35] checks the format of all files, and lints with no warning left', () => {
    expect(argvOf('format')).toMatch(/^prettier --check .*\.$/)
    const { nx } = JSON.parse(read('package.json'))
    expect(argvOf('lint')).toBe('nx run berth:lint')
    expect(nx.targets.lint.options.command).toBe('eslint . --max-warnings 0')
  })

  it('[003-PR-3] checks types strictly', () => {
    const { extends: base, include } = JSON.parse(read('tsconfig.json'))
    expect(argvOf('types')).toBe('tsc -p .')
    expect(JSON.parse(read(base)).compilerOptions).toMatchObject({
      strict: true,
      noUnusedLocals: true,
      noUncheckedIndexedAccess: true,
      exactOptionalPropertyTypes: true,
    })
    expect(include).toEqual(expect.arrayContaining(['apps', 'libs', 'tests']))
  })

  it.each([
    ['export const x = 1', ''],
    ['export const x = { a: 1, a: 2 }', 'Duplicate key "a"'],
  ])('[003-PR-3] bundles %j with complaint %j', (source, complaint) => {
    const folder = mkdtempSync(join(tmpdir(), 'berth-bundle-'))
    writeFileSync(join(folder, 'main.ts'), source)
    const tool = JSON.stringify(join(root, 'tools/bundle.ts'))
    const entryPoints = JSON.stringify([{ in: 'main.ts', out: 'main' }])
    const script = `(await import(${tool})).bundle(process.cwd(), ${entryPoints}, 'out')`
    const { stderr, status } = spawnSync(process.execPath, ['--input-type=module', '-e', script], {
      cwd: folder,
      encoding: 'utf8',
    })
    rmSync(folder, { recursive: true })
    expect(stderr).toContain(complaint)
    expect(status).toBe(complaint === '' ? 0 : 1)
  })
})
