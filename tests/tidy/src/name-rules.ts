import { basename } from 'node:path'

const BANNED = new Set(
  ['util', 'utils', 'helper', 'helpers', 'common', 'misc', 'type', 'types', 'interface'].concat([
    'interfaces',
    'constant',
    'constants',
    'base',
    'manager',
  ]),
)

/** What is wrong with the name of a file. */
export const nameProblems = (path: string): string[] => {
  const name = basename(path).replace(/(\.prop)?(\.spec)?\.ts$/, '')
  return [
    ...(BANNED.has(name) ? [`${path}: "${name}" names no idea`] : []),
    ...(/^[a-z0-9]+(-[a-z0-9]+)*$/.test(name) ? [] : [`${path}: file names are kebab-case`]),
  ]
}

/** An index is a lib's door, so there is one per lib, and one for its test doubles. */
export const indexProblems = (path: string): string[] =>
  basename(path) !== 'index.ts' || /^libs\/([^/]+\/)?[^/]+\/src\/(testing\/)?index\.ts$/.test(path)
    ? []
    : [`${path}: only a lib's src/ and src/testing/ have an index.ts`]

const DECLARED = /^export (?:abstract )?(?:class|interface|type|const|function) (\w+)/gm

/** Names that say nothing, or say it in Hungarian. */
export const exportNameProblems = (path: string, text: string): string[] =>
  [...text.matchAll(DECLARED)].flatMap(([, name = '']) =>
    /^I[A-Z][a-z]/.test(name) || /(?:Impl|Helper|Util|Utils|Base|Common|Manager)$/.test(name)
      ? [`${path}: ${name} is a vague name`]
      : [],
  )
