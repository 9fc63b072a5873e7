import { isSpec, type ProjectFile } from './project-files.ts'

const MAX_LINES = 400
const MAX_SPEC_LINES = 600
const MAX_MAIN_LINES = 60
const MAX_COLUMNS = 100

/** Files that may be longer, each with the reason. */
export const ALLOWED_LONG: Readonly<Record<string, string>> = {
  'libs/platform/contract/src/index.ts': 'the names of all messages, one to a line',
}

/** What is too long or too wide in a file, one line each. */
export const sizeProblems = ({ path, text }: ProjectFile): string[] => {
  const lines = text.split('\n')
  const count = lines.at(-1) === '' ? lines.length - 1 : lines.length
  const limit = limitOf(path)
  const tooLong = count > limit && !(path in ALLOWED_LONG)
  return [
    ...(tooLong ? [`${path}: ${count} lines, the limit is ${limit}`] : []),
    ...lines.flatMap((line, index) =>
      line.length > MAX_COLUMNS && !isUnbreakable(line)
        ? [`${path}:${index + 1}: ${line.length} columns, the limit is ${MAX_COLUMNS}`]
        : [],
    ),
  ]
}

const limitOf = (path: string): number => {
  if (/^apps\/.*\/main\.ts$/.test(path)) return MAX_MAIN_LINES
  return isSpec(path) ? MAX_SPEC_LINES : MAX_LINES
}

/** A test's name is a sentence, and no sentence, address or pattern is cut for a column. */
const isUnbreakable = (line: string): boolean =>
  /https?:\/\/\S{40,}/.test(line) ||
  /(['"`/])(?:(?!\1).){60,}\1/.test(line.replace(/^\s*(?:\/\/|\*).*/, '')) ||
  /^\s*(?:it|test|describe)?(?:\.each)?\(?['"`]/.test(line)
