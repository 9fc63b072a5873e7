import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals'
import { createRunFolder, root } from './src/berth-command.ts'

jest.setTimeout(120_000)

const README_URL = 'http://127.0.0.1:8080'
const SHELL_BLOCK = /```sh\n(.*?)```/gs

const readme = readFileSync(join(root, 'README.md'), 'utf8')
const curls = [...readme.matchAll(SHELL_BLOCK)]
  .map(([, text = '']) => text)
  .filter((text) => text.startsWith('curl '))

const folder = createRunFolder()
let url = ''

beforeAll(async () => {
  const up = folder.berth(['up', '--port', '0'])
  await up.saw('pools ready')
  url = String(folder.state()?.['url'])
})
afterAll(async () => {
  await folder[Symbol.asyncDispose]()
})

/** What a command prints when the fleet is at another port. */
const run = async (command: string): Promise<string> => {
  const shell = ['-c', command.replace('curl ', 'curl --silent --fail ').replace(README_URL, url)]
  const { stdout } = await promisify(execFile)('sh', shell, { timeout: 60_000 })
  return stdout
}

const find = (...parts: readonly string[]): string => {
  const [found, ...others] = curls.filter((text) => parts.every((part) => text.includes(part)))
  expect(others).toEqual([])
  return found!
}

describe('the README', () => {
  it('has the four requests that are tried below, each to the default port', () => {
    expect(curls).toHaveLength(4)
    expect(curls.filter((text) => !text.includes(`${README_URL}/`))).toEqual([])
  })

  it('lists the model it then uses', async () => {
    const { data } = JSON.parse(await run(find('/v1/models')))
    expect(data.map((model: { id: string }) => model.id)).toEqual(['berth-tiny'])
  })

  it('gets an answer in one piece', async () => {
    const plain = curls.find((text) => text.includes('/chat/') && !text.includes('"stream"'))
    const answer = JSON.parse(await run(plain!))
    expect(answer.object).toBe('chat.completion')
    expect(answer.choices[0].message.role).toBe('assistant')
    expect(answer.usage.completion_tokens).toBeGreaterThan(0)
  })

  it('gets a stream that ends well', async () => {
    const events = (await run(find('/chat/', '"stream": true'))).trim().split('\n\n')
    expect(events.length).toBeGreaterThan(2)
    expect(events.at(-1)).toBe('data: [DONE]')
  })

  it('shows the pool', async () => {
    const { data } = JSON.parse(await run(find('/v1/pools')))
    expect(data).toMatchObject([{ id: 'local', engine: 'embedded', state: 'ready' }])
  })
})
