import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals'
import { until } from '@berth/test-support'
import { createRunFolder, type RunFolder } from './src/berth-command.ts'

jest.setTimeout(60_000)

let folder: RunFolder
beforeEach(() => {
  folder = createRunFolder()
})
afterEach(async () => {
  await folder[Symbol.asyncDispose]()
})

describe('./berth test', () => {
  it('refuses a suite that there is not, and names those there are', async () => {
    const { code, stderr } = await folder.berth(['test', '--only', 'format,nonsense']).ended
    expect(stderr).toContain('There is no suite called nonsense.')
    expect(stderr).toContain('Choose from format, types, lint, unit, tidy,')
    expect(code).toBe(2)
  })

  it('takes everything it started with it when it is interrupted', async () => {
    const test = folder.berth(['test', '--only', 'lint'])
    await until('eslint runs', () => folder.processes().some((each) => each.includes('eslint .')))
    test.signal('SIGINT')
    expect((await test.ended).code).toBe(130)
    expect(folder.processes()).toEqual([])
  })
})
