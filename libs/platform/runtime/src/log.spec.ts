import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { openSync } from 'node:fs'
import { describe, expect, it } from '@jest/globals'
import { createLogger } from './log.ts'

const logged = (format: 'json' | 'pretty' = 'json') => {
  const lines: string[] = []
  const destination = { write: (line: string) => void lines.push(line) }
  return { log: createLogger({ name: 'spec', level: 'info', format, destination }), lines }
}

describe('the log', () => {
  it('is one JSON object per line with level, time, name and message', () => {
    const { log, lines } = logged()
    log.info({ port: 80 }, 'listening')
    log.debug('too much detail')
    expect(lines.map((line) => JSON.parse(line))).toEqual([
      expect.objectContaining({ level: 'info', name: 'spec', msg: 'listening', port: 80 }),
    ])
  })

  it('keeps secrets out, wherever they stand', () => {
    const { log, lines } = logged()
    const secret = 'sekrit-"quoted"-42'
    log.child({ api_key: secret }).info({ headers: { Authorization: secret } }, 'request')
    log.info({ deep: { deeper: { leaseToken: secret, 'set-cookie': [secret] } } }, 'deep')
    log.error({ err: new Error('refused Bearer sekrit-42') }, 'nested')
    log.info({ url: 'nats://user:sekrit@host:4222', 'Berth-Lease': secret }, 'connected')
    log.info({ leaseMasterKey: secret, password: secret }, 'config')
    expect(lines).toHaveLength(5)
    expect(lines.join('')).not.toContain('sekrit')
    expect(lines.map((line) => (JSON.parse(line) as { msg: string }).msg)).toEqual([
      'request',
      'deep',
      'nested',
      'connected',
      'config',
    ])
  })

  it('does not end the process when the disk it goes to is full', async () => {
    const url = new URL('./log.ts', import.meta.url).href
    const script = `
      const { createLogger } = await import('${url}')
      const log = createLogger({ name: 'spec', level: 'info', format: 'json' })
      for (let n = 0; n < 3; n++) log.info({ n }, 'line')
      setImmediate(() => process.exit(7))`
    const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
      stdio: ['ignore', openSync('/dev/full', 'w'), 'ignore'],
    })
    const [code] = (await once(child, 'exit')) as [number | null]
    expect(code).toBe(7)
  })

  it('keeps facts that only look alike', () => {
    const { log, lines } = logged()
    log.info({ tokens_in: 5, token_count: 'many', keyId: 't7' }, 'usage')
    expect(JSON.parse(lines[0] ?? '')).toMatchObject({
      tokens_in: 5,
      token_count: 'many',
      keyId: 't7',
    })
  })

  it('is a line for people when pretty', () => {
    const { log, lines } = logged('pretty')
    log.warn({ port: 80, host: 'a' }, 'slow')
    expect(lines.join('')).toMatch(/^\d\d:\d\d:\d\d\.\d{3} WARN {2}spec slow port=80 host=a\n$/)
  })
})
