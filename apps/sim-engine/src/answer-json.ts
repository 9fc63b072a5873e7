import type { ServerResponse } from 'node:http'

export const answerJson = (response: ServerResponse, status: number, body: unknown): void => {
  if (response.destroyed) return
  const bytes = Buffer.from(JSON.stringify(body))
  response.writeHead(status, {
    'content-type': 'application/json',
    'content-length': bytes.length,
  })
  response.end(bytes)
}

export const answerText = (response: ServerResponse, status: number, text: string): void => {
  const bytes = Buffer.from(text)
  response.writeHead(status, {
    'content-type': 'text/plain; charset=utf-8',
    'content-length': bytes.length,
  })
  response.end(bytes)
}
