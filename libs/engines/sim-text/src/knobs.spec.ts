import { describe, expect, it } from '@jest/globals'
import {
  DEFAULT_KNOBS,
  flagOfKnob,
  knobOfOption,
  knobsFromFlags,
  patchKnobs,
  type KnobName,
} from './index.ts'

const NAMES = Object.keys(DEFAULT_KNOBS) as KnobName[]

describe('knobs', () => {
  it('have one flag and one option each, which lead back to them', () => {
    const options = NAMES.map((name) => flagOfKnob(name).slice(2).replaceAll('-', '_'))
    expect(options.map(knobOfOption)).toEqual(NAMES)
    expect(new Set(options).size).toBe(NAMES.length)
  })

  it('are read from flags with a value, with =, and alone', () => {
    const flags = [
      '--slots',
      '2',
      '--tokens-per-s=50.5',
      '--hang',
      '--metrics=false',
      '--models=a,b',
    ]
    expect(knobsFromFlags(flags)).toEqual({
      ok: true,
      knobs: {
        ...DEFAULT_KNOBS,
        slots: 2,
        tokensPerS: 50.5,
        isHung: true,
        hasMetrics: false,
        models: ['a', 'b'],
      },
    })
  })

  it.each([
    [['--slots'], 'slots: null does not fit'],
    [['--slots', 'many'], 'slots: null does not fit'],
    [['--slots=-1'], 'slots: -1 does not fit'],
    [['--dialect', 'tgi'], 'dialect: "tgi" does not fit'],
    [['--hang=perhaps'], 'hang: "perhaps" does not fit'],
    [['slots'], 'unrecognized arguments: slots'],
  ])('are refused: %j', (flags, problem) => {
    expect(knobsFromFlags(flags)).toEqual({ ok: false, problems: [problem] })
  })

  it('stay as they are when a patch has a problem', () => {
    const knobs = { ...DEFAULT_KNOBS, slots: 3 }
    expect(patchKnobs(knobs, { slots: 4, port: 1 }).ok).toBe(false)
    expect(patchKnobs(knobs, { slots: 4 })).toEqual({ ok: true, knobs: { ...knobs, slots: 4 } })
    expect(knobs.slots).toBe(3)
  })

  it('start llama.cpp without embeddings, as llama-server does', () => {
    const read = (...flags: string[]) => {
      const result = knobsFromFlags(flags)
      return result.ok && result.knobs.hasEmbeddings
    }
    expect(read('--dialect', 'llamacpp')).toBe(false)
    expect(read('--dialect', 'llamacpp', '--embeddings')).toBe(true)
    expect(read('--dialect', 'vllm')).toBe(true)
  })
})
