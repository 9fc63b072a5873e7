import { describe, expect, it } from '@jest/globals'
import { withVllmModel } from './with-vllm-model.ts'

const vllm = { id: 'a', engine: 'vllm', model: 'org/one' }
const sim = { id: 'b', engine: 'sim', model: 'm' }
const watched = { id: 'c', engine: 'vllm', mode: 'monitored', url: 'http://127.0.0.1:1' }
const said = { model: 'org/two', isDemanded: true }
const variable = { model: 'org/two', isDemanded: false }

describe('--model and VLLM_MODEL [003-FR-038]', () => {
  it.each([said, variable])('replace the model of the one vllm pool: %j', (wanted) => {
    const { entries, problem } = withVllmModel([vllm, sim, watched], wanted)
    expect(entries).toEqual([{ ...vllm, model: 'org/two' }, sim, watched])
    expect(problem).toBeUndefined()
  })

  it.each([
    ['several', [vllm, { ...vllm, id: 'd' }], 'the file has 2'],
    ['none', [sim, watched, null, 'text'], 'the file has 0'],
  ])(
    'are a problem as a flag, and nothing as a variable, where there are %s',
    (_what, pools, how) => {
      expect(withVllmModel(pools, variable)).toEqual({ entries: pools })
      const { entries, problem } = withVllmModel(pools, said)
      expect(entries).toEqual(pools)
      expect(problem).toContain(how)
    },
  )

  it('leave the file as it is where nobody says anything', () => {
    expect(withVllmModel([vllm], undefined)).toEqual({ entries: [vllm] })
  })
})
