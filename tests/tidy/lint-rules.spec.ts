import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from '@jest/globals'
import { root } from './src/project-files.ts'

/**
 * Planted violations: each text is linted as if it were the named file, so nothing is written.
 * The boundary rule passes silently where no project graph is cached, so nx makes one first.
 */
const PLANTED: readonly (readonly [rule: string, path: string, text: string])[] = [
  boundary('libs/domain/fleet/src/index.ts', '@berth/contract', 'a domain lib and the contract'),
  boundary('libs/domain/placement/src/index.ts', '@berth/supervision', 'two scopes'),
  boundary('libs/domain/kernel/src/index.ts', 'pino', 'the kernel and npm'),
  boundary('libs/platform/bus/src/index.ts', '@berth/placement', 'platform and domain'),
  boundary('libs/engines/drivers/src/index.ts', '@berth/runtime', 'engines and platform'),
  boundary('libs/services/orchestratord/src/index.ts', '@berth/orchestrator-core', 'services'),
  boundary('apps/orchestratord/src/main.ts', '@berth/pool-managerd', 'an app and a strange scope'),
  boundary('apps/orchestratord/src/main.ts', 'express', 'an app and npm'),
  ...['libs/domain/kernel/src/index.ts', 'libs/domain/admission/src/index.ts'].flatMap(impure),
  ...impure('libs/engines/drivers/src/index.ts'),
  ...ambient('libs/services/orchestrator-core/src/index.ts'),
  ...ambient('libs/platform/bus/src/index.ts'),
  [
    'import-x/no-cycle',
    'libs/domain/kernel/src/reason.ts',
    "import { BerthError } from './berth-error.ts'\nexport const x = BerthError",
  ],
  ['import-x/no-default-export', 'apps/cli/src/main.ts', 'export default 1'],
  ['@typescript-eslint/no-floating-promises', 'apps/cli/src/main.ts', 'Promise.resolve(1)'],
  [
    '@typescript-eslint/switch-exhaustiveness-check',
    'libs/domain/kernel/src/index.ts',
    "export const f = (x: 'a' | 'b') => {\n  switch (x) {\n    case 'a':\n      return 1\n  }\n}",
  ],
  [
    '@typescript-eslint/consistent-type-imports',
    'libs/domain/kernel/src/berth-error.ts',
    "import { Code } from './code.ts'\nexport const f = (x: Code): Code => x",
  ],
  ['max-params', 'apps/cli/src/main.ts', 'export const f = (a, b, c, d, e) => [a, b, c, d, e]'],
  [
    'max-lines-per-function',
    'apps/cli/src/main.ts',
    `export const f = () => {\n${'  void 0\n'.repeat(70)}}`,
  ],
]

function boundary(path: string, target: string, _why: string) {
  const text = `import * as other from '${target}'\nexport const x = other`
  return ['@nx/enforce-module-boundaries', path, text] as const
}

function ambient(path: string) {
  return [
    ['no-restricted-globals', path, 'setTimeout(() => undefined, 1)'],
    ['no-restricted-globals', path, 'export const x = process.pid'],
    ['no-restricted-properties', path, 'export const x = Date.now()'],
    ['no-restricted-properties', path, 'export const x = Math.random()'],
    ['no-restricted-syntax', path, 'export const x = new Date()'],
  ] as const
}

function impure(path: string) {
  return [
    ...ambient(path),
    ['no-restricted-globals', path, "export const x = fetch('http://localhost')"],
    ['no-restricted-globals', path, "console.log('x')"],
    ['no-restricted-imports', path, "import { readFileSync } from 'node:fs'\nreadFileSync('x')"],
  ] as const
}

const CLEAN = ['libs/domain/kernel/src/index.ts', 'export const x = 1\n'] as const

let found: readonly { path: string; rules: readonly string[] }[] = []

beforeAll(() => {
  const env = { ...process.env, NX_DAEMON: 'false' }
  execFileSync(join(root, 'node_modules/.bin/nx'), ['show', 'projects'], { cwd: root, env })
  const texts = [...PLANTED.map(([, path, text]) => ({ path, text }))]
  texts.push({ path: CLEAN[0], text: CLEAN[1] })
  const output = execFileSync('node', [join(root, 'tests/tidy/src/lint-texts.ts')], {
    cwd: root,
    env,
    input: JSON.stringify(texts),
    encoding: 'utf8',
  })
  found = JSON.parse(output)
}, 120_000)

describe('lint', () => {
  it.each(PLANTED.map((planted, index) => [...planted, index] as const))(
    '%s fires in %s for %j',
    (rule, _path, _text, index) => {
      expect(found[index]?.rules).toContain(rule)
    },
  )

  it('finds nothing in a clean text, so the findings above are about what was planted', () => {
    expect(found.at(-1)?.rules).toEqual([])
  })
})
