import { describe, expect, it } from '@jest/globals'
import { createMask } from './mask-secrets.ts'

const mask = createMask({
  BERTH_ENGINE_API_KEY: 'instance-key-1',
  HF_TOKEN: 'a-token-of-hf',
  SHORT_KEY: 'ab',
  PATH: '/usr/bin:/bin',
  NOTHING_SECRET: undefined,
})

describe('a line of a log [001-PRC-4]', () => {
  it.each([
    ['started with --api-key instance-key-1', 'started with --api-key [redacted]'],
    ['HF_TOKEN=a-token-of-hf and a-token-of-hf', 'HF_TOKEN=[redacted] and [redacted]'],
    ['login with hf_AbCdEfGhIjKlMnOpQrSt failed', 'login with [redacted] failed'],
    ['key sk-proj-AbCdEf0123456789 is used', 'key [redacted] is used'],
    ['Authorization: Bearer abc.def-ghi', 'Authorization: [redacted]'],
    [`{"authorization":"Basic YWJjOmRlZg=="}`, `{"authorization":"[redacted]"}`],
    [`headers={'Authorization': 'Bearer xyz'}`, `headers={'Authorization': '[redacted]'}`],
    ['sent bearer abcdefgh12345678', 'sent bearer [redacted]'],
    ['GET /v1?api_key=topsecret&x=1', 'GET /v1?api_key=[redacted]&x=1'],
    ['pull https://me:pw@example.org/m', 'pull https://[redacted]@example.org/m'],
  ])('%s', (line, shown) => {
    expect(mask(line)).toBe(shown)
  })

  it('without a secret stays as it is, short values and harmless variables included', () => {
    const line = 'INFO ab cabbage /usr/bin:/bin tokens=12 keys are task-ish hf_short sk-x'
    expect(mask(line)).toBe(line)
  })

  it('shows nothing of a secret that holds another one', () => {
    const nested = createMask({ A_KEY: 'abcdefgh', B_KEY: 'abcdefgh-ijklmnop' })
    expect(nested('abcdefgh-ijklmnop abcdefgh')).toBe('[redacted] [redacted]')
  })
})
