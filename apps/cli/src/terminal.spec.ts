import { describe, expect, it } from '@jest/globals'
import { createTerminal } from './terminal.ts'

const createRecorder = (isTTY: boolean) => {
  let text = ''
  const output = {
    isTTY,
    columns: 40,
    write: (part: string) => {
      text += part
      return true
    },
  }
  return { output, text: () => text }
}

const terminalOn = (isTTY: boolean) => {
  const out = createRecorder(isTTY)
  const err = createRecorder(isTTY)
  return { terminal: createTerminal(out.output, err.output), out, err }
}

describe('the terminal', () => {
  it('rewrites the live line in place, cut to the width, and removes it before other output', () => {
    const { terminal, out } = terminalOn(true)
    terminal.live('a'.repeat(60))
    terminal.live('short')
    terminal.print('done')
    expect(out.text()).toBe(`\r\x1b[2K${'a'.repeat(39)}\r\x1b[2Kshort\r\x1b[2Kdone\n`)
  })

  it('tells a live line where nothing can be rewritten only when its key changes', () => {
    const { terminal, out } = terminalOn(false)
    terminal.live('1 of 2 ready, up 1 s', '1 of 2')
    terminal.live('1 of 2 ready, up 2 s', '1 of 2')
    terminal.live('2 of 2 ready, up 3 s', '2 of 2')
    expect(out.text()).toBe('1 of 2 ready, up 1 s\n2 of 2 ready, up 3 s\n')
  })

  it('keeps errors out of the results', () => {
    const { terminal, out, err } = terminalOn(false)
    terminal.print('result')
    terminal.error('broken')
    expect(out.text()).toBe('result\n')
    expect(err.text()).toBe('berth: broken\n')
  })
})
