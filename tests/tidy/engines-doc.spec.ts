import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from '@jest/globals'
import { drivers } from '@berth/drivers'
import type { EngineDriver, EngineSpec } from '@berth/supervision'
import { root } from './src/project-files.ts'

const page = readFileSync(join(root, 'docs/engines.md'), 'utf8')

/** The tables of a section, cell by cell, without back-ticks and without their heading. */
const rowsOf = (title: string): string[][] => {
  const section = page.split(/^#+ /m).find((part) => part.startsWith(`${title}\n`)) ?? ''
  return section
    .split('\n')
    .filter((line) => line.startsWith('|') && !/^\| *-/.test(line))
    .map((line) =>
      line
        .replaceAll('`', '')
        .split('|')
        .slice(1, -1)
        .map((cell) => cell.trim()),
    )
}

const [HEADING = [], ...ROWS] = rowsOf('What each can do')
const ENGINES = Object.values(drivers)
const cellOf = (row: string, engine: string): string =>
  ROWS.find(([name]) => name === row)?.[HEADING.indexOf(engine)] ?? ''
const hasRoute = ({ abilities }: EngineDriver, route: string) => abilities.routes.includes(route)

/** The options a driver knows, as it lists them to who writes another. */
const optionsOf = (driver: EngineDriver): readonly string[] => {
  const spec: EngineSpec = {
    ...{ engine: driver.engine, mode: 'managed', slots: 1, contextLength: 512 },
    ...{ options: { none: true }, shutdownGraceMs: 0, modelId: 'm' },
  }
  const [known = ''] = driver
    .check(spec)
    .flatMap((problem) => /\(known: (.*)\)$/.exec(problem)?.[1] ?? [])
  return known.split(', ')
}

describe('docs/engines.md', () => {
  it('has a column for every driver, and only for those', () => {
    expect(HEADING.slice(1).sort()).toEqual(ENGINES.map(({ engine }) => engine).sort())
  })

  it.each(ENGINES.map((driver) => [driver.engine, driver] as const))(
    'says of %s what its driver does',
    (engine, driver) => {
      const { abilities } = driver
      const isNo = (row: string) => cellOf(row, engine) === 'no'
      expect(isNo('responses, messages')).toBe(!hasRoute(driver, '/v1/messages'))
      expect(isNo('rerank')).toBe(!hasRoute(driver, '/v1/rerank'))
      expect(isNo('embeddings')).toBe(!hasRoute(driver, '/v1/embeddings'))
      expect(isNo('seeds')).toBe(abilities.seedField === undefined)
      expect(cellOf('models at once', engine).includes('many')).toBe(
        abilities.isMultiModel === true || engine === 'sim',
      )
      expect(/while it runs|as vLLM/.test(cellOf('LoRA adapters', engine))).toBe(
        abilities.hasLora === true || engine === 'sim',
      )
      expect(isNo('sleep, wake')).toBe(abilities.hasSleep !== true && engine !== 'sim')
    },
  )

  it.each(
    ENGINES.filter(({ engine }) => engine !== 'sim').map(
      (driver) => [driver.engine, driver] as const,
    ),
  )('lists every option of %s', (engine, driver) => {
    const options = rowsOf(engine)
      .slice(1)
      .flatMap(([names = '']) => names.split(', '))
    expect(options.sort()).toEqual([...optionsOf(driver)].sort())
  })
})
