import { copyFile, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals'
import {
  embeddedPool,
  operatorOf,
  startFleet,
  type Fleet,
  type Operator,
} from '@berth/test-support'

// A real engine on a machine that may be busy.
jest.setTimeout(120_000)

let fleet: Fleet
let operator: Operator
beforeAll(async () => {
  const pool = embeddedPool('real')
  fleet = await startFleet({ hosts: [{ hostId: 'h1', pools: [pool] }] })
  operator = operatorOf(fleet)
  // Models of a reload are below model_root: the folder of the pools file.
  const model = String(pool.entry['model']).replace(/^file:/, '')
  await copyFile(model, join(fleet.dir, 'second.gguf'))
  await writeFile(join(fleet.dir, 'broken.gguf'), 'This is no model.')
  // A whole file, of a kind that no engine knows.
  const bytes = await readFile(model)
  const kind = bytes.indexOf('llama', bytes.indexOf('general.architecture'))
  await writeFile(join(fleet.dir, 'foreign.gguf'), bytes.fill('lamas', kind, kind + 5))
})
afterAll(async () => {
  await fleet[Symbol.asyncDispose]()
})

const reload = async (model: string) =>
  operator.ended(
    await operator.command('real', 'reload', {
      ...{ new_model_ref: `file:${model}`, deadline_ms: 20_000 },
    }),
  )
const answers = async (model: string) => {
  const answer = await fleet.chat({ model, max_tokens: 4 })
  await answer.text()
  return answer.status
}

describe('[002-36] with a real engine', () => {
  it('[002-11b] a reload serves the new model', async () => {
    expect(await reload('second.gguf')).toMatchObject({ status: 'completed', model_id: 'second' })
    expect(await answers('second')).toBe(200)
    expect(await answers('berth-tiny')).toBe(404)
  })

  it('a reload to a file that is no model is refused before the engine is touched', async () => {
    const { pid } = await operator.pool('real')
    const done = await reload('broken.gguf')
    expect(done).toMatchObject({ status: 'failed', rolled_back: false })
    expect(done.error_details?.message).toContain('broken.gguf')
    expect(await operator.pool('real')).toMatchObject({ ready: true, model_id: 'second', pid })
  })

  it('[002-11b] a reload to a model that no engine knows rolls back, with the reason of the engine', async () => {
    const done = await reload('foreign.gguf')
    expect(done).toMatchObject({ status: 'failed', rolled_back: true })
    expect(done.error_details?.message).toContain('rolled back')
    expect(await operator.pool('real')).toMatchObject({ ready: true, model_id: 'second' })
    expect(await answers('second')).toBe(200)
  })

  it('[002-28b][002-15a2] a drain lets an answer end, and undrain takes requests again', async () => {
    const answer = await fleet.chat({ model: 'second', stream: true, max_tokens: 200 })
    const drain = await operator.command('real', 'drain', { deadline_ms: 30_000 })
    expect(await answer.text()).toContain('[DONE]')
    expect(await operator.ended(drain)).toMatchObject({ status: 'completed' })
    expect(await operator.pool('real')).toMatchObject({ ready: false, draining: true })
    await operator.command('real', 'undrain')
    await fleet.poolIsReady('real')
    expect(await answers('second')).toBe(200)
  })
})
