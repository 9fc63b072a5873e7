import type { GgufValue } from './gguf-image.ts'
import { TURN_END, TURN_START, type TinyToken } from './tiny-vocabulary.ts'

/** The keys a GGUF file has for its tokens: SentencePiece, with a ChatML template. */
export const tokenizerMetadata = (tokens: readonly TinyToken[]): Record<string, GgufValue> => {
  const endId = tokens.findIndex(({ text }) => text === TURN_END)
  return {
    'tokenizer.ggml.model': { kind: 'string', value: 'llama' },
    'tokenizer.ggml.tokens': { kind: 'strings', value: tokens.map(({ text }) => text) },
    'tokenizer.ggml.scores': { kind: 'f32s', value: tokens.map((_, id) => -id) },
    'tokenizer.ggml.token_type': { kind: 'i32s', value: tokens.map((t) => TOKEN_TYPE[t.kind]) },
    'tokenizer.ggml.unknown_token_id': u32(0),
    'tokenizer.ggml.bos_token_id': u32(1),
    'tokenizer.ggml.eos_token_id': u32(endId),
    'tokenizer.ggml.padding_token_id': u32(endId),
    'tokenizer.ggml.add_bos_token': { kind: 'bool', value: true },
    'tokenizer.ggml.add_eos_token': { kind: 'bool', value: false },
    'tokenizer.chat_template': { kind: 'string', value: CHAT_TEMPLATE },
  }
}

const CHAT_TEMPLATE =
  `{% for message in messages %}{{ '${TURN_START}' + message['role'] + '\\n' + ` +
  `message['content'] + '${TURN_END}' + '\\n' }}{% endfor %}` +
  `{% if add_generation_prompt %}{{ '${TURN_START}assistant\\n' }}{% endif %}`

const TOKEN_TYPE = { normal: 1, unknown: 2, control: 3, byte: 6 } as const

const u32 = (value: number): GgufValue => ({ kind: 'u32', value })
