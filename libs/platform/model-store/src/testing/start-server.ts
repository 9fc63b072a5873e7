import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

/** A request as a test looks at it. */
export interface SeenRequest {
  /** Path and query. */
  readonly path: string
  readonly headers: IncomingMessage['headers']
}

/** A real HTTP server on a free port of 127.0.0.1. */
export interface TestServer {
  /** `http://127.0.0.1:PORT`. */
  readonly origin: string
  /** `127.0.0.1:PORT`. */
  readonly host: string
  /** Every request so far, oldest first. */
  readonly requests: readonly SeenRequest[]
  close(): Promise<void>
}

/** Starts a server that answers with `answer`; what that throws is a 500. */
export const startServer = async (
  answer: (request: IncomingMessage, response: ServerResponse) => unknown,
): Promise<TestServer> => {
  const requests: SeenRequest[] = []
  const server = createServer((request, response) => {
    requests.push({ path: request.url ?? '', headers: request.headers })
    const answered = async () => answer(request, response)
    answered().catch(() => {
      if (!response.headersSent) response.writeHead(500)
      response.end()
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return {
    origin: `http://127.0.0.1:${port}`,
    host: `127.0.0.1:${port}`,
    requests,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}
