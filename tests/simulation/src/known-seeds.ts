import { readFileSync } from 'node:fs'

export interface KnownSeed {
  readonly seed: number
  readonly hosts: number
  readonly what: string
}

/** The lines of `seeds.txt`: a seed, its hosts, and what it once found. */
export const knownSeeds = (): KnownSeed[] =>
  readFileSync(new URL('../seeds.txt', import.meta.url), 'utf8')
    .split('\n')
    .filter((line) => /^\d/.test(line))
    .map((line) => {
      const [, seed, hosts, what = ''] = /^(\d+) (\d+) (.*)$/.exec(line) ?? []
      return { seed: Number(seed), hosts: Number(hosts), what }
    })
