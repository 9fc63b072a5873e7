import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from '@jest/globals'
import { z } from 'zod'
import { loadConfig } from './load-config.ts'

const dir = mkdtempSync(join(tmpdir(), 'berth-config-'))
afterAll(() => rmSync(dir, { recursive: true }))
const write = (text: string) => {
  const path = join(dir, `${crypto.randomUUID()}.yaml`)
  writeFileSync(path, text)
  return path
}

const schema = z.object({
  natsUrl: z.string().default('nats://default'),
  httpPort: z.number().int().min(0).max(65535).default(1),
  isStrict: z.boolean().default(false),
  addresses: z.array(z.string()).optional(),
})
const load = (argv: string[], env: Record<string, string> = {}) =>
  loadConfig({ name: 'spec', schema, env: { argv, env, pid: 1 } })
const problemsOf = (argv: string[], env: Record<string, string> = {}): string => {
  try {
    return `loaded ${JSON.stringify(load(argv, env))}`
  } catch (error) {
    return (error as Error).message
  }
}

describe('the settings of a service', () => {
  it('[003-AC-023] come from flags over environment over file over defaults', () => {
    const file = write('nats_url: nats://file\n')
    const env = { BERTH_NATS_URL: 'nats://env', BERTH_CONFIG: file }
    expect(load([]).natsUrl).toBe('nats://default')
    expect(load(['--config', file]).natsUrl).toBe('nats://file')
    expect(load([], env).natsUrl).toBe('nats://env')
    expect(load(['--nats-url=nats://flag'], env).natsUrl).toBe('nats://flag')
  })

  it('are converted from text to what the schema asks for', () => {
    const env = { BERTH_HTTP_PORT: '8080', BERTH_ADDRESSES: 'a:1, b:2', BERTH_IS_STRICT: 'false' }
    expect(load(['--is-strict'], env)).toEqual({
      natsUrl: 'nats://default',
      httpPort: 8080,
      isStrict: true,
      addresses: ['a:1', 'b:2'],
    })
    expect(load([], env).isStrict).toBe(false)
  })

  it('take the last of a repeated flag, and an empty variable as not set', () => {
    const env = { BERTH_NATS_URL: '' }
    expect(load(['--http-port', '1', '--http-port', '2'], env)).toMatchObject({
      httpPort: 2,
      natsUrl: 'nats://default',
    })
  })

  it('may stand in a file that a variable names, without its last line break', () => {
    const env = { BERTH_NATS_URL_FILE: write('nats://secret\n') }
    expect(load([], env).natsUrl).toBe('nats://secret')
    expect(load([], { ...env, BERTH_NATS_URL: 'nats://env' }).natsUrl).toBe('nats://env')
    const gone = problemsOf([], { BERTH_HTTP_PORT_FILE: join(dir, 'gone') })
    expect(gone).toMatch(/BERTH_HTTP_PORT_FILE: ENOENT.*gone/)
  })

  it('are frozen', () => {
    expect(Object.isFrozen(load([]))).toBe(true)
  })

  it('leave variables of other services alone', () => {
    expect(problemsOf([], { BERTH_SOMETHING_ELSE: 'x' })).toMatch(/^loaded/)
  })

  it('report every problem at once, each under the name it was given', () => {
    const file = write('nats_uri: x\nis_strict: maybe\n')
    const message = problemsOf(['--config', file, '--http-prot', '5', 'stray', '--nats-url'], {
      BERTH_HTTP_PORT: '70000',
    })
    expect(message.split('\n')).toEqual([
      'The configuration of spec has 6 problems:',
      '  --http-prot is not a known flag',
      '  unexpected argument stray',
      '  --nats-url needs a value',
      `  ${file}: nats_uri is not a known setting`,
      expect.stringMatching(/^ {2}BERTH_HTTP_PORT: .*65535/),
      expect.stringContaining(`${file}: is_strict: `),
    ])
  })

  it('never show a value, which may be a secret', () => {
    expect(problemsOf([], { BERTH_HTTP_PORT: 'hunter2' })).not.toContain('hunter2')
  })

  it.each([
    ['nats_url: [unclosed\nhttp_port: 1\n', /\.yaml:\d+:\d+: /],
    ['a: 1\na: 2\n', /\.yaml:2:1: .*unique/i],
    ['- a list\n', /expected a mapping/],
  ])('name file, line and column of broken YAML %j', (text, expected) => {
    expect(problemsOf(['--config', write(text)])).toMatch(expected)
  })

  it('say which file cannot be read, and what else is wrong', () => {
    const message = problemsOf(['--config', '/nowhere/berth.yaml', '--http-port', 'x'])
    expect(message).toContain('Cannot read /nowhere/berth.yaml')
    expect(message).toContain('--http-port')
  })

  it('accept an empty file', () => {
    expect(problemsOf(['--config', write('# nothing yet\n')])).toMatch(/^loaded/)
  })
})
