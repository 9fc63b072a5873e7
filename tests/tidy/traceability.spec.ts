import { execFileSync, spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { root } from './src/project-files.ts'

const trace = (...args: string[]) => {
  const tool = join(root, 'tools/traceability.ts')
  const { status, stderr } = spawnSync(process.execPath, [tool, ...args], {
    encoding: 'utf8',
    env: { ...process.env, NODE_OPTIONS: '' },
  })
  return { status, stderr }
}

const HEADING = 'id\tseed\tarea\tkind\tstatement\tnote'

let scratch = ''
const put = (path: string, text: string) => {
  mkdirSync(dirname(join(scratch, path)), { recursive: true })
  writeFileSync(join(scratch, path), text)
}
const page = () => readFileSync(join(scratch, 'docs/traceability.md'), 'utf8')
const rowOf = (id: string) =>
  page()
    .split('\n')
    .find((line) => line.startsWith(`| ${id} |`))

beforeEach(() => {
  scratch = mkdtempSync(join(tmpdir(), 'berth-trace-'))
  execFileSync('git', ['init', '-q'], { cwd: scratch })
  const rows = ['000-A', '000-B', '000-C', '000-D'].map(
    (id) => `${id}\t000\tx\ttest\tDoes ${id}.\t`,
  )
  put('docs/requirements.tsv', `${[HEADING, ...rows].join('\n')}\n`)
})
afterEach(() => rmSync(scratch, { recursive: true }))

describe('traceability', () => {
  it('of this repository is up to date', () => {
    expect(trace('--check')).toEqual({ status: 0, stderr: '' })
  })

  it('counts a requirement as proven by the tests that name it', () => {
    put('libs/x/a.spec.ts', "it('[000-A, 000-B] adds numbers', () => {})")
    expect(trace('--root', scratch)).toEqual({ status: 0, stderr: '' })
    expect(rowOf('000-A')).toContain('| proven | adds numbers ([libs/x/a.spec.ts]')
    expect(rowOf('000-B')).toContain('| proven |')
    expect(rowOf('000-C')).toContain('| open |')
  })

  it('takes pages and bench notes for what they are, and prefers a test', () => {
    put('libs/x/a.spec.ts', "it('[000-A] adds numbers', () => {})")
    put('docs/a.md', '<!-- proves: 000-A -->\n<!-- proves: 000-B -->\n')
    put('bench/README.md', '<!-- measured: 000-C: 3 ms at p99 -->')
    put('docs/b.md', '<!-- not tried here: 000-D: needs two GPUs -->')
    trace('--root', scratch)
    expect(rowOf('000-A')).toContain('| proven |')
    expect(rowOf('000-B')).toContain('| documented |')
    expect(rowOf('000-C')).toContain('| measured | 3 ms at p99')
    expect(rowOf('000-D')).toContain('| not tried here | needs two GPUs')
  })

  it('fails on an id that no requirement has, and on a page that is out of date', () => {
    put('libs/x/a.spec.ts', "it('[000-NOPE] adds numbers', () => {})")
    expect(trace('--root', scratch)).toEqual({
      status: 1,
      stderr: 'libs/x/a.spec.ts: no requirement 000-NOPE\n',
    })
    put('libs/x/a.spec.ts', "it('[000-A] adds numbers', () => {})")
    expect(trace('--root', scratch, '--check').stderr).toContain('out of date')
    expect(trace('--root', scratch).status).toBe(0)
    expect(trace('--root', scratch, '--check').status).toBe(0)
  })
})
