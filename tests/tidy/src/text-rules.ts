import type { ProjectFile } from './project-files.ts'

/** What must stand in no file, with what is meant. Written so that this file does not match. */
const FORBIDDEN: readonly (readonly [RegExp, string])[] = [
  [/\/work\/(?:main|shared|queue)/, 'a path of one machine'],
  [/\/(?:home|Users)\/[a-z]\w*\//, 'a path of one machine'],
  [/registry\.npm(?:js)\b|deb\.(?:debian)\.org/, 'the host of a package registry'],
  // A skip that is seen and gives its reason is none: `describe.skip(`x (skipped: no docker)`)`.
  [
    /\b(?:it|test|describe)\.(?:only|skip|todo)\((?!`[^`]*\(skipped: )/,
    'a focused or skipped test',
  ],
  [/\bTODO\b|\bFIXME\b|\bXXX\b|\bHACK\b/, 'a mark of unfinished work'],
  [/not (?:yet )?implemented/i, 'a stub'],
]

/** Files that speak about what is forbidden. */
const ABOUT_RULES = new Set([
  'tests/tidy/src/text-rules.ts',
  'tests/tidy/planted-files.spec.ts',
  'docs/requirements.tsv',
  'docs/traceability.md',
])

export const textProblems = ({ path, text }: ProjectFile): string[] => {
  if (ABOUT_RULES.has(path)) return []
  return FORBIDDEN.flatMap(([pattern, meaning]) => {
    const found = pattern.exec(text)
    return found ? [`${path}: ${meaning}: "${found[0]}"`] : []
  })
}

/** A barrel hides cycles and widens a lib's surface by accident. */
export const exportProblems = ({ path, text }: ProjectFile): string[] => [
  ...(/^export \*/m.test(text) && !path.startsWith('libs/platform/contract/')
    ? [`${path}: export by name, not with *`]
    : []),
  ...(/^export default /m.test(text) ? [`${path}: no default exports`] : []),
]
