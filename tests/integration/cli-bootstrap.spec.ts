import { spawn } from 'node:child_process'
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals'
import { until } from '@berth/test-support'
import { createRunFolder, root, type RunFolder } from './src/berth-command.ts'

jest.setTimeout(60_000)

let folder: RunFolder
let checkout = ''
let bin = ''

/** A checkout with nothing installed, and an `npm` that does what the test says. */
beforeEach(() => {
  folder = createRunFolder()
  checkout = mkdtempSync(join(tmpdir(), 'berth-checkout-'))
  bin = join(folder.path, 'bin')
  mkdirSync(bin)
  for (const path of ['berth', 'package-lock.json', 'tools/is-installed.ts', 'tools/node-runtime'])
    cpSync(join(root, path), join(checkout, path), { recursive: true })
})
afterEach(async () => {
  await folder[Symbol.asyncDispose]()
  rmSync(checkout, { recursive: true })
})

const program = (name: string, script: string) => {
  writeFileSync(join(bin, name), `#!/bin/sh\n${script}\n`)
  chmodSync(join(bin, name), 0o755)
}
const start = (pathDirs: string) =>
  folder.berth(['version'], {
    script: join(checkout, 'berth'),
    env: { PATH: `${bin}:${pathDirs}:/usr/bin:/bin` },
  })
const ours = dirname(process.execPath)

describe('the bootstrap script', () => {
  it('shows what npm said when packages do not install', async () => {
    program('npm', 'echo "npm error network down" >&2; exit 1')
    const { code, stderr } = await start(ours).ended
    expect(stderr).toContain('npm error network down')
    expect(stderr).toContain('Installing packages failed')
    expect(code).toBe(1)
  })

  it('installs when a package is gone that the list of npm names', async () => {
    writeInstalled({ 'node_modules/a': '1.0.0', 'libs/x/node_modules/a': '2.0.0' })
    rmSync(join(checkout, 'libs/x/node_modules'), { recursive: true })
    program('npm', 'exit 1')
    const { stderr } = await start(ours).ended
    expect(stderr).toContain('Installing packages')
  })

  it('installs nothing when everything is there', async () => {
    writeInstalled({ 'node_modules/a': '1.0.0', 'libs/x/node_modules/a': '2.0.0' })
    program('npm', 'exit 1')
    const { stderr } = await start(ours).ended
    expect(stderr).not.toContain('Installing packages')
  })

  it('does not start a second step after an interrupt, and leaves no npm behind', async () => {
    program('npm', 'echo started > "$BERTH_RUN_DIR/npm-ran"; exec sleep 300')
    const berth = start(ours)
    await berth.saw('Installing packages')
    await until('npm to start', () => existsSync(join(folder.path, 'npm-ran')))
    berth.signal('SIGTERM')
    const { code, stderr } = await berth.ended
    expect(stderr).toContain('Interrupted')
    expect(code).toBe(143)
    expect(folder.processes()).toEqual([])
  })

  it('removes a half-installed Node after an interrupt', async () => {
    program('node', 'echo 20')
    program('npm', 'mkdir -p node_modules/half; touch "$BERTH_RUN_DIR/npm-ran"; exec sleep 300')
    const berth = start('')
    await until('npm to start', () => existsSync(join(folder.path, 'npm-ran')))
    berth.signal('SIGINT')
    await berth.ended
    expect(readdirSync(join(checkout, '.berth/node'))).toEqual([])
    expect(folder.processes()).toEqual([])
  })

  it('says what is missing when there is no npm', async () => {
    const { code, stderr } = await folder.berth(['version'], {
      script: join(checkout, 'berth'),
      env: { PATH: `${linkOnly(['sh', 'dirname', 'rm', 'mkdir'])}:${ours}` },
    }).ended
    expect(stderr).toContain('npm is not on PATH')
    expect(code).toBe(1)
  })

  it('works through a symbolic link and from another folder', async () => {
    const link = join(folder.path, 'berth-link')
    await new Promise((resolve) =>
      spawn('ln', ['-s', join(root, 'berth'), link]).once('exit', resolve),
    )
    const { code, stdout } = await folder.berth(['version'], { script: link, cwd: '/' }).ended
    const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
    expect(stdout).toMatch(new RegExp(`^berth ${version} \\(node 2\\d\\.`))
    expect(code).toBe(0)
  })
})

/** A checkout whose lock and list name these packages, each in its place. */
const writeInstalled = (versions: Readonly<Record<string, string>>) => {
  const packages = Object.entries(versions).map(([path, version]) => [path, { version }] as const)
  const list = JSON.stringify({ packages: Object.fromEntries(packages) })
  for (const path of Object.keys(versions)) {
    mkdirSync(join(checkout, path), { recursive: true })
    writeFileSync(join(checkout, path, 'package.json'), '{}')
  }
  writeFileSync(join(checkout, 'package-lock.json'), list)
  writeFileSync(join(checkout, 'node_modules/.package-lock.json'), list)
}

/** A folder that holds just these programs of the system. */
const linkOnly = (names: readonly string[]): string => {
  for (const name of names) program(name, `exec /bin/${name} "$@"`)
  return bin
}
