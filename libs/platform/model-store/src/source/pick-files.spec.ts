import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import { matchesPattern } from './match-pattern.ts'
import { pickFiles } from './pick-files.ts'

const files = (...paths: string[]) => paths.map((path) => ({ path }))
const pick = (paths: string[], selector?: string, want: 'gguf' | 'snapshot' = 'gguf') =>
  pickFiles(files(...paths), selector, { want }).files.map(({ path }) => path)
const refusalOf = (...how: Parameters<typeof pick>): unknown => {
  try {
    return pick(...how)
  } catch (error) {
    return error
  }
}

describe('the GGUF of a repository', () => {
  it('is the only one, whatever projector stands beside it', () => {
    expect(pick(['a.gguf', 'mmproj-a.gguf', 'README.md'])).toEqual(['a.gguf'])
  })

  it.each([
    ['Q4_K_M', ['m-Q4_K_M.gguf']],
    ['q8_0', ['q8/m-Q8_0-00001-of-00002.gguf', 'q8/m-Q8_0-00002-of-00002.gguf']],
    ['BF16', ['BF16/m.gguf']],
    ['*IQ4*', ['m-IQ4_XS.gguf']],
    [
      'q8/m-Q8_0-00002-of-00002.gguf',
      ['q8/m-Q8_0-00001-of-00002.gguf', 'q8/m-Q8_0-00002-of-00002.gguf'],
    ],
    ['mmproj-f16.gguf', ['mmproj-f16.gguf']],
  ])('is named by %s', (selector, expected) => {
    const all = [
      ...['m-Q4_K_M.gguf', 'm-IQ4_XS.gguf', 'BF16/m.gguf', 'mmproj-f16.gguf'],
      ...['q8/m-Q8_0-00002-of-00002.gguf', 'q8/m-Q8_0-00001-of-00002.gguf'],
    ]
    expect(pick(all, selector)).toEqual(expected)
  })

  it.each([
    [
      ['a-Q4_0.gguf', 'a-Q8_0.gguf'],
      undefined,
      'INVALID_PARAMS',
      'one of a-Q4_0.gguf, a-Q8_0.gguf',
    ],
    [['a-Q4_0.gguf', 'b-Q4_0.gguf'], 'Q4_0', 'INVALID_PARAMS', 'fit "Q4_0"'],
    [['a-Q4_0.gguf'], 'Q8_0', 'MODEL_NOT_FOUND', 'fits "Q8_0"'],
    [['a.safetensors'], undefined, 'MODEL_NOT_FOUND', 'holds no GGUF file'],
    [
      ['a-00001-of-00003.gguf', 'a-00003-of-00003.gguf'],
      undefined,
      'MODEL_NOT_FOUND',
      '2 of the 3',
    ],
  ])('is refused: %j with %s', (paths, selector, reason, fact) => {
    expect(refusalOf(paths, selector)).toMatchObject({
      reason,
      message: expect.stringContaining(fact),
    })
  })
})

describe('the snapshot of a repository', () => {
  it('is its configuration, its tokenizer and weights in one format', () => {
    const all = [
      ...['config.json', 'tokenizer.model', 'chat_template.jinja', 'modeling_x.py', 'README.md'],
      ...['model-00001-of-00001.safetensors', 'consolidated.safetensors', 'pytorch_model.bin'],
      ...['original/params.json', 'onnx/config.json', 'tf_model.h5', 'x.gguf', 'logo.png'],
    ]
    expect(pick(all, undefined, 'snapshot')).toEqual([
      ...['config.json', 'tokenizer.model', 'chat_template.jinja', 'modeling_x.py'],
      'model-00001-of-00001.safetensors',
    ])
  })

  it('takes older formats where there is no other', () => {
    const all = ['config.json', 'pytorch_model.bin', 'x.pt']
    expect(pick(all, undefined, 'snapshot')).toEqual(['config.json', 'pytorch_model.bin'])
  })

  it('is a GGUF file where the reference names one', () => {
    expect(pick(['config.json', 'a-Q4_0.gguf'], 'a-Q4_0.gguf', 'snapshot')).toEqual(['a-Q4_0.gguf'])
  })

  it('is refused where it holds GGUF files only', () => {
    expect(refusalOf(['a-Q4_0.gguf'], undefined, 'snapshot')).toMatchObject({
      reason: 'MODEL_NOT_FOUND',
      message: expect.stringContaining('Add :FILE'),
    })
  })
})

describe('a pattern', () => {
  it.each([
    ['*.gguf', 'a/b.gguf', true],
    ['a/*.gguf', 'a/b/c.gguf', false],
    ['a/**', 'a/b/c.gguf', true],
    ['**/c.GGUF', 'a/b/c.gguf', true],
    ['?.gguf', 'a.gguf', true],
    ['a.gguf', 'b/a.gguf', true],
    ['*Q4*', 'x-q4_0.gguf', true],
    ['.*', 'a.gguf', false],
  ])('%s on %s is %s', (pattern, path, expected) => {
    expect(matchesPattern(pattern, path)).toBe(expected)
  })

  it('is answered at once where backtracking would take for ever', () => {
    expect(matchesPattern('*a'.repeat(100), `${'a'.repeat(1000)}b`)).toBe(false)
  })

  it('matches what the same pattern as a regular expression matches', () => {
    const tokens = { '*': '[^/]*', '**': '.*', '?': '[^/]', a: 'a', b: 'b', '/': '/' }
    const names = fc.array(fc.constantFrom(...Object.keys(tokens)), { maxLength: 6 })
    const texts = fc.array(fc.constantFrom('a', 'b', '/'), { maxLength: 6 })
    fc.assert(
      fc.property(names, texts, (pieces, letters) => {
        const pattern = pieces.join('')
        const path = letters.join('')
        const source = (pattern.match(/\*\*|./g) ?? []).map((one) => tokens[one as 'a']).join('')
        const whole = new RegExp(`^${source}$`)
        const last = path.slice(path.lastIndexOf('/') + 1)
        const expected = whole.test(path) || (!pattern.includes('/') && whole.test(last))
        expect(matchesPattern(pattern, path)).toBe(expected)
      }),
      { numRuns: 2_000 },
    )
  })
})
