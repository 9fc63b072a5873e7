import { dirname, join } from 'node:path'
import type { ProjectFile } from './project-files.ts'

/** `export { a, type B } from './file.ts'` in the index of a lib. */
const REEXPORT = /^export (?:type )?\{([^}]*)\} from '(\.[^']+)'/gm

/** What a lib exports without a docstring. Declarations that stand line by line share one. */
export const docstringProblems = (files: readonly ProjectFile[]): string[] => {
  const textOf = new Map(files.map(({ path, text }) => [path, text]))
  return files
    .filter(({ path }) => /^libs\/.*\/src\/index\.ts$/.test(path))
    .flatMap(({ path: index, text }) =>
      [...text.matchAll(REEXPORT)].flatMap(([, names = '', target = '']) => {
        const path = join(dirname(index), target)
        const source = textOf.get(path)
        if (source === undefined) return []
        return names
          .split(',')
          .map((name) => /^\s*(?:type )?(\w+)/.exec(name)?.[1] ?? '')
          .filter((name) => name !== '' && !hasDocstring(source, name))
          .map((name) => `${path}: ${name} is exported and has no docstring`)
      }),
    )
}

const hasDocstring = (text: string, name: string): boolean => {
  const declared = new RegExp(
    `^export (?:async )?(?:const|function\\*?|class|interface|type) ${name}\\b`,
    'm',
  ).exec(text)
  // It comes from elsewhere: another lib has to say what it is.
  if (!declared) return true
  const above = text.slice(0, declared.index).trimEnd().split('\n')
  const end = above.findLastIndex((line) => !line.startsWith('export '))
  return text[declared.index - 2] !== '\n' && (above[end] ?? '').trim().endsWith('*/')
}
