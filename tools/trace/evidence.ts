import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

/** How a requirement is met. A row's state is the first of these that it has. */
export const STATES = ['proven', 'measured', 'documented', 'not tried here'] as const

export type State = (typeof STATES)[number]

export interface Evidence {
  readonly id: string
  readonly state: State
  readonly path: string
  /** The name of the test, or what the note says. */
  readonly text: string
}

/** `[000-FR-011]` or `[000-FR-011, 002-14a2]` within a test's name. */
const IDS = /\[(\d{3}-[\w.-]+(?:,\s*\d{3}-[\w.-]+)*)\]/g
const STRINGS = /'(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*"|`(?:[^`\\]|\\.)*`/g
/** `<!-- proves: ID -->`, `<!-- measured: ID: figure -->`, `<!-- not tried here: ID: why -->`. */
const NOTES = /<!--\s*(proves|measured|not tried here):\s*(\d{3}-[\w.-]*\w)(?::\s*([^>]*?))?\s*-->/g

/** It plants ids to test the tool, and proves none. */
const OWN_SPEC = 'tests/tidy/traceability.spec.ts'

/** What tests, bench tables and pages under `root` say that they prove. */
export const collectEvidence = (root: string): readonly Evidence[] =>
  listPaths(root).flatMap((path) => {
    const text = () => readFileSync(join(root, path), 'utf8')
    if (path === OWN_SPEC) return []
    if (path.endsWith('.spec.ts')) return inSpec(path, text())
    if (/^(?:docs|bench|libs|apps)\/.*\.md$|^[^/]+\.md$/.test(path)) return inPage(path, text())
    return []
  })

const inSpec = (path: string, text: string): Evidence[] =>
  (text.match(STRINGS) ?? []).flatMap((literal) => {
    const name = literal.slice(1, -1)
    return [...name.matchAll(IDS)].flatMap(([, ids = '']) =>
      ids.split(/,\s*/).map((id) => ({
        id,
        state: 'proven' as const,
        path,
        text: name.replace(IDS, '').trim(),
      })),
    )
  })

const STATE_OF_NOTE: Readonly<Record<string, State>> = {
  proves: 'documented',
  measured: 'measured',
  'not tried here': 'not tried here',
}

const inPage = (path: string, text: string): Evidence[] =>
  [...text.matchAll(NOTES)].map(([, kind = '', id = '', note = '']) => ({
    id,
    state: STATE_OF_NOTE[kind]!,
    path,
    text: note,
  }))

const listPaths = (root: string): string[] =>
  execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard'], {
    cwd: root,
    encoding: 'utf8',
    maxBuffer: 64 * 2 ** 20,
  })
    .split('\n')
    .filter((path) => path !== '' && path !== 'docs/traceability.md')
    .filter((path) => existsSync(join(root, path)))
    .sort()
