import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import { createBodyEditor, type Asked, type BodyEdits } from './edit-body.ts'
import type { Json } from './read-chunk.ts'
import { readSeed } from './read-seed.ts'

const NONE: BodyEdits = { asksUsage: false, mustStream: false }
const USAGE: BodyEdits = { asksUsage: true, mustStream: false }
const STREAM: BodyEdits = { asksUsage: true, mustStream: true }

const cut = (bytes: Buffer, places: readonly number[]): Buffer[] => {
  const at = [...places].map((place) => place % (bytes.length + 1)).sort((a, b) => a - b)
  return [...at, bytes.length].map((end, index) => bytes.subarray(at[index - 1] ?? 0, end))
}

const edit = (edits: BodyEdits, pieces: readonly Buffer[]): { text: string; asked: Asked } => {
  const editor = createBodyEditor(edits)
  const out = [...pieces.flatMap((piece) => editor.push(piece)), ...editor.end()]
  return { text: Buffer.concat(out).toString(), asked: editor.asked }
}
const edited = (edits: BodyEdits, body: string) => edit(edits, [Buffer.from(body)])

const space = fc.stringMatching(/^[ \t\r\n]{0,4}$/)
const places = fc.array(fc.nat(), { maxLength: 6 })
const KNOWN = ['seed', 'stream', 'stream_options', '__proto__']
const others = fc.dictionary(
  fc.string().filter((key) => !KNOWN.includes(key)),
  fc.jsonValue(),
)
const usageOption = fc.constantFrom({}, ...[true, false, null].map((on) => ({ include_usage: on })))
const streamOptions = fc.option(
  fc.tuple(fc.dictionary(fc.string({ minLength: 14 }), fc.jsonValue()), usageOption),
  { nil: null },
)
/** A body as clients write them, with its fields in any order. */
const body = fc
  .record(
    {
      stream: fc.constantFrom(true, false, null),
      stream_options: streamOptions.map((parts) => parts && { ...parts[0], ...parts[1] }),
    },
    { requiredKeys: [] },
  )
  .chain((known) =>
    others.chain((rest) =>
      fc
        .shuffledSubarray(Object.entries({ ...known, ...rest }), {
          minLength: Object.keys({ ...known, ...rest }).length,
        })
        // Of -0, JSON keeps the 0.
        .map((entries) => JSON.parse(JSON.stringify(Object.fromEntries(entries))) as Json),
    ),
  )

const seedOf = (headers: Record<string, string>) => readSeed(headers, 'seed')!

describe('the seed of a strict job', () => {
  it('[004-11a] goes into the body, of which all other bytes stay as they are', () => {
    const edits = { ...NONE, seed: seedOf({ 'berth-seed': '42' }) }
    fc.assert(
      fc.property(others, space, space, places, (value, before, behind, cuts) => {
        const text = `${before}{${behind}${JSON.stringify(value).slice(1)}`
        const whole = edit(edits, cut(Buffer.from(text), cuts)).text
        const put = Object.keys(value).length === 0 ? '"seed":42' : '"seed":42,'
        const at = before.length + 1 + behind.length
        expect(whole.slice(at, at + put.length)).toBe(put)
        expect(whole.slice(0, at) + whole.slice(at + put.length)).toBe(text)
        expect(JSON.parse(whole)).toEqual({ ...JSON.parse(text), seed: 42 })
      }),
    )
  })

  it.each(['', '-1', '1.5', '1,"x":2', '9'.repeat(20)])('is not read from "%s"', (seed) => {
    expect(readSeed({ 'berth-seed': seed }, 'seed')).toBeUndefined()
  })

  it('is left out for an engine that takes none', () => {
    expect(readSeed({ 'berth-seed': '42' }, undefined)).toBeUndefined()
  })
})

describe('usage', () => {
  it('is asked for of every stream, and of nothing else in the body', () => {
    fc.assert(
      fc.property(body, fc.constantFrom(0, 1, 2), places, (value, indent, cuts) => {
        const text = JSON.stringify(value, null, indent)
        const { text: whole, asked } = edit(USAGE, cut(Buffer.from(text), cuts))
        const options = value['stream_options'] as { include_usage?: unknown } | null | undefined
        const wanted = options
          ? { ...value, stream_options: { ...options, include_usage: true } }
          : value['stream'] === true
            ? { ...value, stream_options: { include_usage: true } }
            : value
        expect(JSON.parse(whole)).toEqual(wanted)
        expect(asked).toEqual({
          stream: value['stream'] === true ? 'yes' : 'no',
          usage: options?.include_usage === true,
        })
      }),
      { numRuns: 500 },
    )
  })

  it('changes no byte of a body that asks for it, or that is no stream', () => {
    for (const text of [
      '{"stream":true , "stream_options":{ "include_usage" : true}}\n',
      '{ "messages": [{"content":"\\"stream\\":true"}], "stream" : false }',
      '{"messages":[{"stream":true,"x":["}",{}]}],"n":1e5}',
    ])
      expect(edited(USAGE, text).text).toBe(text)
  })
})

describe('a stream', () => {
  it('is asked for of an engine that must stream, whatever the client asked', () => {
    fc.assert(
      fc.property(body, places, (value, cuts) => {
        const { text, asked } = edit(STREAM, cut(Buffer.from(JSON.stringify(value)), cuts))
        const stream_options = { ...(value['stream_options'] ?? {}), include_usage: true }
        expect(JSON.parse(text)).toEqual({ ...value, stream: true, stream_options })
        expect(asked.stream).toBe(value['stream'] === true ? 'yes' : 'no')
      }),
      { numRuns: 500 },
    )
  })

  it('is found under an escaped name, and the last of several counts', () => {
    const { text, asked } = edited(STREAM, '{"str\\u0065am":false,"stream":true,"stream":null}')
    expect(asked.stream).toBe('no')
    expect(text).toBe(
      '{"str\\u0065am":true,"stream":true,"stream":true,"stream_options":{"include_usage":true}}',
    )
  })

  it('is left to the engine where its value is none', () => {
    for (const text of ['{"stream":"yes"}', '{"stream":1}', '{"stream":[true]}']) {
      expect(edited(STREAM, text)).toEqual({ text, asked: { stream: 'unclear', usage: false } })
    }
  })
})

it('what is no JSON object reaches the engine as it came', () => {
  const edits = { ...STREAM, seed: { field: 'seed', value: '1' } }
  for (const text of ['', '[{"stream":false}]', '"x', '  7', '{"stream":fal', '{stream:false}']) {
    const { text: whole } = edited({ ...STREAM }, text)
    expect(whole).toBe(text)
  }
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 60 }), places, (bytes, cuts) => {
      const editor = createBodyEditor(edits)
      for (const piece of cut(Buffer.from(bytes), cuts)) editor.push(piece)
      editor.end()
    }),
  )
})

describe('the model of a lease', () => {
  it('is what every reader of the body finds, however the client names another', () => {
    const names = fc.array(
      fc.tuple(
        fc.constantFrom('model', 'Model', 'MODEL', 'm\\u006fdel'),
        fc.constantFrom('b', 'c'),
      ),
      { maxLength: 4 },
    )
    fc.assert(
      fc.property(names, body, places, (named, rest, at) => {
        const fields = named.map(([key, value]) => `"${key}":"${value}"`)
        const others = JSON.stringify(rest).slice(1, -1)
        const text = `{${[...fields, others].filter((part) => part !== '').join()}}`
        const edits = { ...USAGE, model: 'a"\\/' }
        const result = edit(edits, cut(Buffer.from(text), at)).text
        // What stands last is what counts, also to readers that do not look at case.
        expect(JSON.parse(result)).toMatchObject({ model: 'a"\\/' })
        expect(result.endsWith('"model":"a\\"\\\\/"}')).toBe(true)
      }),
    )
  })
})
