import { hashText } from './hash.ts'

/** A message as OpenAI clients send it; `content` is text or a list of parts. */
export interface ChatMessage {
  readonly role?: string
  readonly content?: string | readonly { readonly type?: string; readonly text?: string }[] | null
}

/** The prompt the simulator makes of a chat, in the ChatML layout. */
export const chatPrompt = (messages: readonly ChatMessage[]): string => {
  const turns = messages.map((m) => `<|im_start|>${m.role ?? 'user'}\n${textOf(m)}<|im_end|>\n`)
  return `${turns.join('')}<|im_start|>assistant\n`
}

const textOf = ({ content }: ChatMessage): string => {
  if (typeof content === 'string') return content
  return (content ?? []).map((part) => part.text ?? '').join('')
}

/** How many tokens the simulator counts in a prompt: runs of non-space characters, at least 1. */
export const countTokens = (prompt: string): number => prompt.match(/\S+/g)?.length ?? 1

/** Names a prompt without keeping it: 16 hex digits. */
export const promptHash = (prompt: string): string =>
  [0, 0x5bd1e995].map((basis) => hashText(prompt, basis).toString(16).padStart(8, '0')).join('')
