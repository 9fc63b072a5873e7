import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'

export interface IngressCall {
  readonly path: string
  readonly headers: IncomingMessage['headers']
  readonly body: string
  readonly res: ServerResponse
  /** Set when the gateway closed the connection before the answer was complete. */
  isAborted: boolean
}

export type IngressScript = (call: IngressCall) => void

/** A real HTTP server that plays the ingress of a pool by a script. */
export const startScriptedIngress = async (script: IngressScript) => {
  const calls: IngressCall[] = []
  const server = createServer((req, res) => {
    void text(req).then((body) => {
      const { url = '', headers } = req
      const call: IngressCall = { path: url, headers, body, res, isAborted: false }
      res.on('close', () => (call.isAborted = !res.writableFinished))
      calls.push(call)
      script(call)
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    address: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    calls,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}

/** A whole JSON answer with a usage trailer. */
export const answerJson = ({ res }: IngressCall, status = 200, body: unknown = { ok: true }) => {
  res.writeHead(status, {
    'Content-Type': 'application/json',
    Trailer: 'Berth-Usage',
    'Berth-Instance': 'pool-a-1',
  })
  res.write(JSON.stringify(body))
  res.addTrailers({ 'Berth-Usage': 'in=3,out=5' })
  res.end()
}

/** The head of an event stream and its first event; the script goes on by itself. */
export const openStream = ({ res }: IngressCall, first = 'data: {"n":1}\n\n') => {
  res.writeHead(200, { 'Content-Type': 'text/event-stream', Trailer: 'Berth-Usage' })
  res.write(first)
}

/** An ingress refusal. */
export const refuse = ({ res }: IngressCall, reason: string) => {
  res.writeHead(503, { 'Berth-Refusal': reason, 'Content-Type': 'application/json' })
  res.end('{}')
}
