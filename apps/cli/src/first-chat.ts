import { streamChat } from './gateway-client.ts'
import type { Terminal } from './terminal.ts'

const MESSAGE = 'Say hello.'
const MAX_TOKENS = 48
const TIMEOUT_MS = 120_000

export interface FirstChat {
  readonly url: string
  readonly model: string
  readonly terminal: Terminal
  readonly signal: AbortSignal
}

/** Sends one request all the way through, and prints what came back. */
export const firstChat = async ({ url, model, terminal, signal }: FirstChat): Promise<void> => {
  const limited = AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)])
  let answer = ''
  const chat = { url, model, message: MESSAGE, maxTokens: MAX_TOKENS, signal: limited }
  for await (const piece of streamChat(chat)) answer += piece
  terminal.print(`\n  you:   ${MESSAGE}\n  ${model}: ${answer.trim()}\n`)
}
