import { describe, expect, it } from '@jest/globals'
import { deadFiles } from './src/dead-files.ts'
import { docstringProblems } from './src/docstring-rules.ts'
import { exportNameProblems, indexProblems, nameProblems } from './src/name-rules.ts'
import { sizeProblems } from './src/size-rules.ts'
import { exportProblems, textProblems } from './src/text-rules.ts'

const lines = (count: number) => 'const x = 1\n'.repeat(count)
const size = (path: string, text: string) => sizeProblems({ path, text })

describe('the rules about files', () => {
  it('let a file of exactly the limit pass and no line more', () => {
    expect(size('libs/x/src/a.ts', lines(400))).toEqual([])
    expect(size('libs/x/src/a.ts', lines(401))).toHaveLength(1)
    expect(size('libs/x/src/a.spec.ts', lines(600))).toEqual([])
    expect(size('libs/x/src/a.spec.ts', lines(601))).toHaveLength(1)
    expect(size('apps/x/src/main.ts', lines(60))).toEqual([])
    expect(size('apps/x/src/main.ts', lines(61))).toHaveLength(1)
  })

  it('find a line over 100 columns and leave the name of a test whole', () => {
    expect(size('libs/x/src/a.ts', `const a = ${'b'.repeat(91)}`)).toHaveLength(1)
    expect(size('libs/x/src/a.ts', `const a = ${'b'.repeat(90)}`)).toEqual([])
    expect(size('libs/x/src/a.spec.ts', `  it('${'b'.repeat(120)}', () => {`)).toEqual([])
  })

  it.each(['utils', 'helpers', 'common', 'misc', 'types', 'constants', 'base', 'manager'])(
    'refuse a file called %s',
    (name) => {
      expect(nameProblems(`libs/x/src/${name}.ts`)).toHaveLength(1)
      expect(nameProblems(`libs/x/src/${name}.spec.ts`)).toHaveLength(1)
    },
  )

  it('refuse camel case, a barrel inside a lib and a vague export', () => {
    expect(nameProblems('libs/x/src/someFile.ts')).toHaveLength(1)
    expect(nameProblems('libs/x/src/some-file.prop.spec.ts')).toEqual([])
    expect(indexProblems('libs/domain/x/src/parts/index.ts')).toHaveLength(1)
    expect(indexProblems('libs/domain/x/src/index.ts')).toEqual([])
    expect(exportNameProblems('a.ts', 'export interface IPool {')).toHaveLength(1)
    expect(exportNameProblems('a.ts', 'export const poolHelper = 1')).toHaveLength(1)
    expect(exportNameProblems('a.ts', 'export class PoolManager {')).toHaveLength(1)
    expect(exportNameProblems('a.ts', 'export interface InstanceId {')).toEqual([])
  })

  it('refuse star exports and default exports', () => {
    const check = (path: string, text: string) => exportProblems({ path, text })
    expect(check('libs/x/src/index.ts', "export * from './a.ts'")).toHaveLength(1)
    expect(check('libs/x/src/a.ts', 'export default 1')).toHaveLength(1)
    expect(check('libs/x/src/a.ts', 'export const a = 1')).toEqual([])
  })

  it('refuse paths of a machine, registries and unfinished work', () => {
    const check = (text: string) => textProblems({ path: 'README.md', text })
    expect(check(['', 'work', 'main', 'x'].join('/'))).toHaveLength(1)
    expect(check(`https://${['registry', 'npmjs', 'org'].join('.')}/x`)).toHaveLength(1)
    expect(check(`// ${'TO' + 'DO'}: later`)).toHaveLength(1)
    expect(check(`it.skip('x', () => {})`)).toHaveLength(1)
    expect(check(`describe.only('x', () => {})`)).toHaveLength(1)
    expect(check(`const suite = canRun ? describe : describe.skip`)).toEqual([])
    expect(check('describe.skip(`images (skipped: ${reason})`, () => {')).toEqual([])
    expect(check('A sentence about todos.')).toEqual([])
  })

  it('find a file nobody imports', () => {
    const used = { path: 'libs/x/src/used.ts', text: '' }
    const index = { path: 'libs/x/src/index.ts', text: "export { a } from './used.ts'" }
    const dead = { path: 'libs/x/src/dead.ts', text: '' }
    const spec = { path: 'libs/x/src/dead.spec.ts', text: '' }
    expect(deadFiles([used, index, dead, spec], new Set())).toEqual(['libs/x/src/dead.ts'])
    expect(deadFiles([used, index, dead, spec], new Set(['libs/x/src/dead.ts']))).toEqual([])
  })

  it('find the one export of a lib that has no docstring', () => {
    const said = '/** Says. */\nexport const a = 1\nexport const b = 2\n\n'
    const lib = (text: string) =>
      docstringProblems([
        { path: 'libs/x/src/index.ts', text: "export { a, b, type C } from './d.ts'" },
        { path: 'libs/x/src/d.ts', text },
      ])
    expect(lib(`${said}/** Says. */\nexport interface C {}`)).toEqual([])
    expect(lib(`${said}export interface C {}`)).toEqual([
      'libs/x/src/d.ts: C is exported and has no docstring',
    ])
    expect(lib('export const a = 1\n/** Says. */\nexport const b = 2')).toHaveLength(1)
  })
})
