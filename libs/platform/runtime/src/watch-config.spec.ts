import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from '@jest/globals'
import { createSimClock } from '@berth/kernel/testing'
import { z } from 'zod'
import { loadConfig } from './load-config.ts'
import { createLogger } from './log.ts'
import { settingGroup } from './setting.ts'
import { watchConfig } from './watch-config.ts'

const schema = z.object({
  queue: settingGroup({ capacity: z.number().int().positive().default(256) }),
  httpPort: z.number().default(1),
})

const dir = mkdtempSync(join(tmpdir(), 'berth-watch-'))
afterAll(() => rmSync(dir, { recursive: true }))

const watch = (text: string, argv: readonly string[] = []) => {
  const file = join(dir, `${crypto.randomUUID()}.yaml`)
  // Replaced, not written over: a reader never sees half of it, and the stamp always differs.
  const write = (content: string) => {
    writeFileSync(`${file}.new`, content)
    renameSync(`${file}.new`, file)
  }
  write(text)
  const clock = createSimClock()
  const lines: Record<string, unknown>[] = []
  const changes: { readonly capacity: number; readonly changed: readonly string[] }[] = []
  let refused = 0
  const destination = { write: (line: string) => void lines.push(JSON.parse(line)) }
  const log = createLogger({ name: 'spec', level: 'info', format: 'json', destination })
  const env = { argv: ['--config', file, ...argv], env: {}, pid: 1 }
  const source = { name: 'spec', schema, env }
  const watching = watchConfig(
    {
      ...{ ...source, clock, log },
      onChange: ({ config, changed }) =>
        void changes.push({ capacity: config.queue.capacity, changed }),
      onRefused: () => void (refused += 1),
    },
    loadConfig(source),
  )
  return { file, write, clock, lines, changes, watching, refusals: () => refused }
}

describe('a watched configuration', () => {
  it('[004-29a] is loaded again when its file changes, and names what differs', async () => {
    const { write, clock, changes, watching } = watch('queue: { capacity: 1 }\n')
    await clock.advance(5_000)
    expect(changes).toEqual([])
    write('queue: { capacity: 2 }\nhttp_port: 5\n')
    await clock.advance(1_000)
    expect(changes).toEqual([{ capacity: 2, changed: ['queue.capacity', 'http_port'] }])
    await clock.advance(5_000)
    expect(changes).toHaveLength(1)
    watching[Symbol.dispose]()
    write('queue: { capacity: 3 }\n')
    await clock.advance(5_000)
    expect(changes).toHaveLength(1)
  })

  it('[004-29a] keeps the old settings when the new ones are wrong, and says all that is', async () => {
    const { file, write, clock, lines, changes, watching, refusals } = watch(
      'queue: { capacity: 1 }\n',
    )
    write('queue: { capacity: 0, capcity: 1 }\n')
    await clock.advance(1_000)
    expect([changes.length, refusals()]).toEqual([0, 1])
    expect(lines.at(-1)).toMatchObject({
      level: 'error',
      msg: 'configuration is wrong, the old settings hold',
      problems: [
        `  ${file}: queue.capcity is not a known setting`,
        expect.stringContaining('queue.capacity: Too small'),
      ],
    })
    rmSync(file)
    await clock.advance(1_000)
    expect([changes.length, refusals()]).toEqual([0, 2])
    write('queue: { capacity: 2 }\n')
    await clock.advance(1_000)
    expect(changes).toEqual([{ capacity: 2, changed: ['queue.capacity'] }])
    watching[Symbol.dispose]()
  })

  it('leaves to a flag what a flag says', async () => {
    const { write, clock, changes, lines, watching } = watch('http_port: 1\n', [
      '--queue-capacity=9',
    ])
    write('queue: { capacity: 2 }\n')
    await clock.advance(1_000)
    expect(changes).toEqual([])
    expect(lines.at(-1)).toMatchObject({ msg: 'configuration is unchanged' })
    watching[Symbol.dispose]()
  })
})
