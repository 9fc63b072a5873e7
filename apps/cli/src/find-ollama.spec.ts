import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, describe, expect, it } from '@jest/globals'
import { findOllama, ollamaUrl } from './find-ollama.ts'

let server: Server | undefined
afterEach(() => {
  server?.close()
  server?.closeAllConnections()
})

const serve = async (answers: Readonly<Record<string, unknown>>) => {
  server = createServer((req, res) => {
    const answer = answers[req.url ?? '']
    res.writeHead(answer === undefined ? 404 : 200).end(JSON.stringify(answer ?? {}))
  })
  await new Promise<void>((resolve) => server!.listen(0, '127.0.0.1', resolve))
  return `127.0.0.1:${(server.address() as AddressInfo).port}`
}

describe('where Ollama is asked', () => {
  it.each([
    [undefined, 'http://127.0.0.1:11434'],
    ['', 'http://127.0.0.1:11434'],
    ['0.0.0.0', 'http://127.0.0.1:11434'],
    ['0.0.0.0:8080', 'http://127.0.0.1:8080'],
    ['[::]:8080', 'http://127.0.0.1:8080'],
    [':8080', 'http://127.0.0.1:8080'],
    ['gpu-1', 'http://gpu-1:11434'],
    ['gpu-1:80', 'http://gpu-1'],
    ['http://gpu-1:1234/', 'http://gpu-1:1234'],
    ['https://gpu-1.example.org', 'https://gpu-1.example.org'],
    ['a b', undefined],
  ])('is %j read as %j', (host, url) => {
    expect(ollamaUrl(host)).toBe(url)
  })
})

describe('an Ollama', () => {
  it('is found with its models that can chat', async () => {
    const models = [
      { name: 'nomic-embed-text:latest', details: { family: 'nomic-bert' } },
      { name: 'llama3.2:3b', details: { family: 'llama' } },
      { name: 'phi4:latest' },
      {},
    ]
    const host = await serve({ '/api/version': { version: '0.9.1' }, '/api/tags': { models } })
    expect(await findOllama({ OLLAMA_HOST: host })).toEqual({
      ...{ url: `http://${host}`, version: '0.9.1', models: ['llama3.2:3b', 'phi4:latest'] },
    })
  })

  it.each([
    ['something else answers', { '/': {} }],
    ['it tells no version', { '/api/version': {} }],
  ])('is not found where %s', async (_, answers) => {
    const host = await serve(answers)
    expect(await findOllama({ OLLAMA_HOST: host })).toBeUndefined()
  })

  it('is not found where nobody listens', async () => {
    expect(await findOllama({ OLLAMA_HOST: '127.0.0.1:1' })).toBeUndefined()
  })
})
