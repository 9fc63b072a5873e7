import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/** What a daemon has on disk: whole models by name, and bytes of those that are not whole. */
export interface OllamaStore {
  readonly names: readonly string[]
  readonly parts: Map<string, number>
  save(names: readonly string[], parts: ReadonlyMap<string, number>): void
}

/** Of a daemon whose disk ends with it. */
export const forgetful = (): OllamaStore => ({ names: [], parts: new Map(), save: () => undefined })

/** Of one whose models are still there when it is started again. */
export const storeIn = (dir: string): OllamaStore => {
  const path = join(dir, 'sim-models.json')
  const { names = [], parts = [] } = read(path)
  return {
    names,
    parts: new Map(parts),
    save: (all, some) => {
      mkdirSync(dir, { recursive: true })
      writeFileSync(`${path}.new`, JSON.stringify({ names: all, parts: [...some] }))
      renameSync(`${path}.new`, path)
    },
  }
}

const read = (path: string): { names?: string[]; parts?: [string, number][] } => {
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as object
  } catch {
    // The first start: nothing was ever saved.
    return {}
  }
}
