import { describe, expect, it, jest } from '@jest/globals'
import type { SessionRequest } from '@berth/contract'
import { cancelFrame } from './frames.ts'
import { createOutbox } from './outbox.ts'
import type { Link } from './session-link.ts'

const createRig = (bufferedMessages = 0) => {
  const turns: (() => void)[] = []
  const sent: SessionRequest[] = []
  const onOverflow = jest.fn()
  const outbox = createOutbox({ defer: (fn) => void turns.push(fn), onOverflow })
  const link: Link = {
    messages: (async function* () {})(),
    send: (message) => void sent.push(message),
    bufferedMessages,
    close: () => undefined,
  }
  const endTurn = () => turns.splice(0).forEach((fn) => fn())
  return { outbox, link, sent, onOverflow, endTurn }
}

describe('the outbox of a session', () => {
  it('sends the frames of one turn as one message', () => {
    const { outbox, link, sent, endTurn } = createRig()
    outbox.attach(link)
    for (const id of ['a', 'b', 'c']) outbox.push(cancelFrame(id))
    expect(sent).toHaveLength(0)
    endTurn()
    outbox.push(cancelFrame('d'))
    endTurn()
    expect(sent.map(({ frames }) => frames.length)).toEqual([3, 1])
  })

  it('sends many frames as several messages, none longer than core takes', () => {
    const { outbox, link, sent, endTurn } = createRig()
    outbox.attach(link)
    for (let index = 0; index < 1_200; index++) outbox.push(cancelFrame(`job-${index}`))
    endTurn()
    expect(sent.map(({ frames }) => frames.length)).toEqual([500, 500, 200])
    expect(sent.at(-1)?.frames.at(-1)?.frame.value).toMatchObject({ jobId: 'job-1199' })
  })

  it('gives back what it did not send', () => {
    const { outbox, link, sent, endTurn } = createRig()
    outbox.attach(link)
    outbox.push(cancelFrame('a'))
    expect(outbox.detach()).toHaveLength(1)
    endTurn()
    expect(sent).toHaveLength(0)
  })

  it('reports a link that does not keep up', () => {
    const { outbox, link, onOverflow } = createRig(1_001)
    outbox.push(cancelFrame('a'))
    outbox.attach(link)
    expect(onOverflow).toHaveBeenCalledTimes(1)
  })
})
