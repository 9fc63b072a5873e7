import { spawnSync } from 'node:child_process'
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { afterAll, describe, expect, it } from '@jest/globals'
import { findLlamaServer } from '@berth/test-support'

const TOOL = join(import.meta.dirname, '..', '..', 'tools', 'llama-server', 'main.ts')
const dir = mkdtempSync(join(tmpdir(), 'berth-llama-build-'))
afterAll(() => rmSync(dir, { recursive: true }))

/** The tool on a machine without a compiler: what it prints is a build that stood there. */
const runTool = (targetDir: string, ...flags: readonly string[]) => {
  const options = { env: { PATH: '' }, encoding: 'utf8' } as const
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    [TOOL, ...flags, targetDir],
    options,
  )
  return { status, path: stdout.trim(), stderr }
}

describe('the tool that builds llama-server', () => {
  it('says what is missing to build it, and fails unless that is fine', () => {
    const { status, path, stderr } = runTool(join(dir, 'none'))
    expect({ status, path }).toEqual({ status: 1, path: '' })
    expect(stderr).toContain('apt-get install cmake g++ make git')
    expect(runTool(join(dir, 'none'), '--optional')).toMatchObject({ status: 0, path: '' })
  })

  it('does not take for a build what stands there without its hash', () => {
    const folder = join(dir, 'half', 'v0')
    mkdirSync(folder, { recursive: true })
    writeFileSync(join(folder, 'llama-server'), 'half of one')
    expect(runTool(join(dir, 'half'), '--optional').path).toBe('')
  })
})

const program = findLlamaServer()
if (program === undefined || !existsSync(join(dirname(program), 'installed'))) {
  describe.skip(`a build of llama-server (skipped: there is none, see tools/llama-server)`, () => {
    it('is used again while it is what was recorded of it', () => undefined)
  })
} else {
  describe('a build of llama-server', () => {
    it('is used again while it is what was recorded of it', () => {
      const builds = join(dir, 'builds')
      const folder = join(builds, basename(dirname(program)))
      cpSync(dirname(program), folder, { recursive: true })
      const copy = join(folder, 'llama-server')
      expect(runTool(builds, '--optional').path).toBe(copy)
      truncateSync(copy, 1_000)
      expect(runTool(builds, '--optional').path).toBe('')
    })
  })
}
