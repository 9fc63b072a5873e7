// A test reads JSON and asserts on it: the assertion is the check.
/* eslint-disable @typescript-eslint/no-unsafe-assignment, @typescript-eslint/no-unsafe-return */
import { once } from 'node:events'
import { request, type IncomingMessage } from 'node:http'

/** What `JSON.parse` gives: anything. */
export type Parsed = ReturnType<typeof JSON.parse>

export interface Reply {
  readonly status: number
  readonly headers: IncomingMessage['headers']
  readonly text: string
  readonly json: Parsed
}

/** Sends one request on a connection of its own; gives the response with its body unread. */
export const open = async (
  port: number,
  path: string,
  body?: unknown,
  { method, headers }: { method?: string; headers?: Record<string, string> } = {},
): Promise<IncomingMessage> => {
  const text = typeof body === 'string' ? body : body === undefined ? '' : JSON.stringify(body)
  const outgoing = request({
    host: '127.0.0.1',
    port,
    path,
    method: method ?? (body === undefined ? 'GET' : 'POST'),
    headers: {
      'content-type': 'application/json',
      'content-length': Buffer.byteLength(text),
      ...headers,
    },
    agent: false,
  })
  outgoing.end(text)
  const [response] = (await once(outgoing, 'response')) as [IncomingMessage]
  return response
}

export const read = async (response: IncomingMessage): Promise<string> => {
  const chunks: Buffer[] = []
  for await (const chunk of response) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks).toString('utf8')
}

export const ask = async (...args: Parameters<typeof open>): Promise<Reply> => {
  const response = await open(...args)
  const text = await read(response)
  const isJson = /^application\/json/.test(response.headers['content-type'] ?? '')
  return {
    status: response.statusCode!,
    headers: response.headers,
    text,
    json: isJson ? JSON.parse(text) : undefined,
  }
}

/** The `data:` payloads of an SSE body; `[DONE]` stays text. */
export const eventsOf = (text: string): Parsed[] =>
  text
    .split('\n\n')
    .filter((event) => event.startsWith('data: '))
    .map((event) => event.slice('data: '.length))
    .map((data) => (data === '[DONE]' ? data : JSON.parse(data)))

/** What was received until the connection broke, and whether it broke. */
export const readUntilCut = async (
  response: IncomingMessage,
): Promise<{ text: string; wasCut: boolean }> => {
  const chunks: Buffer[] = []
  response.on('data', (chunk: Buffer) => chunks.push(chunk))
  response.on('error', () => {
    // A cut connection is what the caller looks for: `complete` says it.
  })
  await once(response, 'close').catch(() => undefined)
  return { text: Buffer.concat(chunks).toString('utf8'), wasCut: !response.complete }
}

export const stateOf = async (port: number): Promise<Parsed> =>
  (await ask(port, '/__sim/state')).json

export const turn = (port: number, knobs: Record<string, unknown>): Promise<Reply> =>
  ask(port, '/__sim/knobs', knobs)

export const chat = (content: string, more: Record<string, unknown> = {}) => ({
  model: 'm1',
  messages: [{ role: 'user', content }],
  ...more,
})
