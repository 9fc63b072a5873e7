import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals'
import { createRunFolder, type RunFolder } from './src/berth-command.ts'

jest.setTimeout(120_000)

let folder: RunFolder
beforeEach(() => {
  folder = createRunFolder()
})
afterEach(async () => {
  await folder[Symbol.asyncDispose]()
})

interface Report {
  readonly ok: boolean
  readonly lines: readonly { readonly check: string; readonly status: string; message: string }[]
}
const doctor = async (...flags: readonly string[]) => {
  const { code, stdout } = await folder.berth(['doctor', '--json', ...flags]).ended
  const { ok, lines } = JSON.parse(stdout) as Report
  return { code, ok, of: (check: string) => lines.find((line) => line.check === check) }
}
const poolsFile = (text: string) => {
  const path = join(folder.path, 'mine.yaml')
  writeFileSync(path, text)
  return path
}

describe('./berth doctor', () => {
  it('checks a pools file where no fleet runs, and starts nothing', async () => {
    const wrong = poolsFile('host: h1\npools: [{ id: a, engine: sim, model: m, slots: 0 }]\n')
    const ill = await doctor('--pools', wrong)
    expect(ill).toMatchObject({ code: 1, ok: false })
    expect(ill.of('pools file')?.message).toContain('pools[0].slots: ')
    const right = poolsFile('host: h1\npools: [{ id: a, engine: sim, model: m }]\n')
    const well = await doctor('--pools', right)
    expect(well).toMatchObject({ code: 0, ok: true })
    expect(well.of('pool a')).toMatchObject({ status: 'ok' })
    expect(well.of('NATS')).toBeUndefined()
    expect(folder.processes()).toEqual([])
  })

  it('says of a fleet that runs what its parts say, from empty to serving', async () => {
    const path = poolsFile('host: h1\npools: []\n')
    const up = await folder.berth(['up', '--pools', path, '--port', '0', '--detach']).ended
    expect(up.code).toBe(0)
    expect(up.stdout).toContain('no pool serves a model yet')
    const empty = await doctor()
    expect(empty).toMatchObject({ code: 0, ok: true })
    expect(empty.of('pools file')?.message).toContain(path)
    expect(empty.of('core')).toMatchObject({ status: 'ok' })
    expect(empty.of('service orchestratord')).toMatchObject({ status: 'ok' })
    writeFileSync(path, 'host: h1\npools: [{ id: a, engine: sim, model: m }]\n')
    const waiting = async (): Promise<Awaited<ReturnType<typeof doctor>>> => {
      const now = await doctor()
      return now.of('pool a now')?.status === 'ok' ? now : waiting()
    }
    expect((await waiting()).of('pool a now')?.message).toBe('ready')
    expect((await folder.berth(['down']).ended).code).toBe(0)
  })
})
