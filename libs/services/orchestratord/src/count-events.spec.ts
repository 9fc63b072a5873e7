import { describe, expect, it } from '@jest/globals'
import { countEvents } from './count-events.ts'

describe('events of a stream', () => {
  it.each([
    ['one for each data line', 'data: {"a":1}\n\ndata: {"a":2}\n\n', 2],
    ['without the closing mark', 'data: {"a":1}\n\ndata: [DONE]\n\n', 1],
    ['whatever the line ends are', 'data:1\r\n\r\ndata:2\r\n\r\n', 2],
    ['without names, comments and other fields', ': queued\nevent: ping\nid: 1\ndata: {}\n\n', 1],
    ['none of nothing', '', 0],
  ])('are counted: %s', (_, text, events) => {
    expect(countEvents(Buffer.from(text))).toBe(events)
  })
})
