/** What of a request's prompt can be read without an engine. Never logged, never kept. */
export interface Prompt {
  /** Its texts in order: tools, then for each message its role and its parts. */
  readonly fields: readonly string[]
  /** How many of the first fields come before anything that is no short text. */
  readonly chained: number
  readonly images: number
}

/** A part with a longer address holds the image itself, which is not worth hashing. */
const URL_MAX = 2_048

type Json = Readonly<Record<string, unknown>>

/** The prompt of a body, or undefined where its route or shape is none Berth knows. */
export const readPrompt = (route: string, body: Json): Prompt | undefined => {
  if (route === '/v1/chat/completions') return readChat(body)
  if (route === '/v1/completions' && typeof body['prompt'] === 'string')
    return { fields: [body['prompt']], chained: 1, images: 0 }
  return undefined
}

const readChat = ({ tools, messages }: Json): Prompt | undefined => {
  if (!Array.isArray(messages)) return undefined
  const prompt = { fields: [] as string[], chained: -1, images: 0 }
  if (Array.isArray(tools) && tools.length > 0) prompt.fields.push(JSON.stringify(tools))
  for (const message of messages as unknown[]) readMessage(prompt, message)
  const { fields, chained, images } = prompt
  return { fields, chained: chained < 0 ? fields.length : chained, images }
}

interface Reading {
  readonly fields: string[]
  chained: number
  images: number
}

const readMessage = (prompt: Reading, message: unknown) => {
  if (!isObject(message)) return stopChain(prompt)
  const { role, content, tool_calls: calls } = message
  prompt.fields.push(typeof role === 'string' ? role : '')
  if (typeof content === 'string') prompt.fields.push(content)
  else if (Array.isArray(content)) for (const part of content as unknown[]) readPart(prompt, part)
  if (Array.isArray(calls)) prompt.fields.push(JSON.stringify(calls))
}

const readPart = (prompt: Reading, part: unknown) => {
  if (!isObject(part)) return stopChain(prompt)
  if (typeof part['text'] === 'string') return void prompt.fields.push(part['text'])
  const image = part['image_url']
  const url = isObject(image) ? image['url'] : image
  if (typeof url !== 'string') return stopChain(prompt)
  prompt.images += 1
  if (url.length <= URL_MAX) prompt.fields.push(url)
  else stopChain(prompt)
}

const stopChain = (prompt: Reading) => {
  if (prompt.chained < 0) prompt.chained = prompt.fields.length
}

const isObject = (value: unknown): value is Json => typeof value === 'object' && value !== null
