import { STATES, type Evidence } from './evidence.ts'
import type { Requirement } from './requirements.ts'

/** The page as Markdown: a summary per seed, then every requirement with what meets it. */
export const renderTraceability = (
  requirements: readonly Requirement[],
  evidence: readonly Evidence[],
): string => {
  const rows = requirements.map((requirement) => {
    const found = evidence.filter(({ id }) => id === requirement.id)
    const state = STATES.find((each) => found.some((item) => item.state === each)) ?? 'open'
    return { requirement, state, found: found.filter((item) => item.state === state) }
  })
  const seeds = [...new Set(requirements.map(({ seed }) => seed))]
  const states = [...STATES, 'open'] as const
  const count = (seed: string, state: string) =>
    rows.filter((row) => row.requirement.seed === seed && row.state === state).length
  const lines = [
    '# Traceability',
    '',
    'Written by `npm run traceability` from `requirements.tsv` and the names of the tests. A test',
    'name is a claim; `npm run traceability -- --check` only says that this page is up to date.',
    '',
    table(
      ['seed', ...states],
      seeds.map((seed) => [seed, ...states.map((state) => String(count(seed, state)))]),
    ),
    ...seeds.flatMap((seed) => [
      `\n## ${seed}\n`,
      table(
        ['id', 'requirement', 'state', 'by'],
        rows
          .filter(({ requirement }) => requirement.seed === seed)
          .map(({ requirement, state, found }) => [
            requirement.id,
            statementOf(requirement),
            state,
            found.map(cite).join('<br>'),
          ]),
      ),
    ]),
  ]
  return `${lines.join('\n')}\n`
}

const statementOf = ({ statement, note }: Requirement) =>
  note === '' ? statement : `${statement} *(${note})*`

const cite = ({ path, text }: Evidence) =>
  text === '' ? `[${path}](../${path})` : `${text} ([${path}](../${path}))`

const table = (heading: readonly string[], rows: readonly (readonly string[])[]): string =>
  [heading, heading.map(() => '---'), ...rows]
    .map((row) => `| ${row.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`)
    .join('\n')
