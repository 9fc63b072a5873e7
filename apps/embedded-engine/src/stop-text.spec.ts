import { describe, expect, it } from '@jest/globals'
import { createStopText } from './stop-text.ts'

const feed = (stops: readonly string[], pieces: readonly string[]) => {
  const stop = createStopText(stops)
  const sent: (string | symbol)[] = []
  for (const piece of pieces) {
    const { text, isStopped } = stop.push(piece)
    sent.push(text)
    if (isStopped) return [...sent, STOPPED]
  }
  return [...sent, stop.rest()]
}

const STOPPED = Symbol('stopped')

interface Case {
  readonly stops?: readonly string[]
  readonly in: readonly string[]
  readonly out: readonly (string | symbol)[]
}

describe('stop texts', () => {
  it.each<[string, Case]>([
    ['passes text on at once when there are none', { in: ['ab', 'c'], out: ['ab', 'c', ''] }],
    ['sends nothing of a stop text in one piece', { in: ['abENDc'], out: ['ab', STOPPED] }],
    ['holds back what may become one', { in: ['aE', 'N', 'Dz'], out: ['a', '', '', STOPPED] }],
    ['sends what was held back in vain', { in: ['aE', 'x'], out: ['a', 'Ex', ''] }],
    ['sends the rest at the end', { in: ['aEN'], out: ['a', 'EN'] }],
    ['takes the first of several', { stops: ['c', 'b'], in: ['abc'], out: ['a', STOPPED] }],
    [
      'holds back enough for the longest',
      { stops: ['ab', 'bbbb'], in: ['xbbb', 'b'], out: ['x', '', STOPPED] },
    ],
  ])('%s', (_, { stops = ['END'], in: pieces, out }) => {
    expect(feed(stops, pieces)).toEqual(out)
  })
})
