import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from '@jest/globals'
import { root } from './src/project-files.ts'

const run = (...args: string[]) => {
  const { status, stderr } = spawnSync(
    process.execPath,
    [join(root, 'tools/configuration.ts'), ...args],
    { encoding: 'utf8', env: { ...process.env, NODE_OPTIONS: '' } },
  )
  return { status, stderr }
}

describe('the documentation of the configuration', () => {
  it('is what the schemas of the services say', () => {
    expect(run('--check')).toEqual({ status: 0, stderr: '' })
  })

  it('is reported when it is not', () => {
    const scratch = mkdtempSync(join(tmpdir(), 'berth-config-docs-'))
    const { status, stderr } = run('--check', '--root', scratch)
    rmSync(scratch, { recursive: true })
    expect(status).toBe(1)
    expect(stderr).toContain('docs/configuration.md is out of date: npm run docs:config')
  })

  it('gives every setting a meaning', () => {
    const page = readFileSync(join(root, 'docs/configuration.md'), 'utf8')
    const rows = page.split('\n').filter((line) => line.startsWith('| `'))
    expect(rows.length).toBeGreaterThan(50)
    expect(rows.filter((row) => /\|\s*\|$/.test(row))).toEqual([])
  })

  it('[004-29a][004-29a2][004-29a3][004-30a] names the thresholds, weights and switches of core', () => {
    const page = readFileSync(join(root, 'docs/configuration.md'), 'utf8')
    const names = [
      ...['queue.capacity', 'queue.full_policy', 'queue.promote_after_ms', 'tenant_weights'],
      ...[
        'priority_weights.interactive',
        'placement.weights.decode',
        'placement.performance_aware',
      ],
    ]
    expect(names.filter((name) => !page.includes(`\`${name}\` ↻`))).toEqual([])
  })
})
