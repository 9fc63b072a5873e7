import { readObject } from './read-json.ts'

const SHOWN_CHARS = 64

/**
 * The version an engine tells of itself: `version` of vLLM and Ollama, `build_info` of
 * llama-server. Empty when it tells none.
 */
export const readVersion = (body: string): string => {
  const { version, build_info: build } = readObject(body) ?? {}
  const told = version ?? build
  return typeof told === 'string' ? told.slice(0, SHOWN_CHARS) : ''
}
