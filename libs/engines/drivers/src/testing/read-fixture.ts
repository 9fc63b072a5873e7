import { readFileSync } from 'node:fs'

/** A recording below `fixtures/`, whose sources are listed in `SOURCES.md` there. */
export const readFixture = (name: string): string =>
  readFileSync(new URL(`../../fixtures/${name}`, import.meta.url), 'utf8')
