import { dirname, join } from 'node:path'
import { isSpec, type ProjectFile } from './project-files.ts'

/** Imports, and paths of programs that a test starts. */
const NAMED = /'(\.{1,2}\/[^'\s]+\.ts)'/g
const ENTRY = /\/main\.ts$|\/src\/index\.ts$|\/src\/testing\/index\.ts$/

/** Sources under `apps` and `libs` that nothing names and no one starts. */
export const deadFiles = (
  files: readonly ProjectFile[],
  entryPaths: ReadonlySet<string>,
): string[] => {
  const named = new Set(
    files.flatMap(({ path, text }) =>
      [...text.matchAll(NAMED)].map(([, target = '']) => join(dirname(path), target)),
    ),
  )
  return files
    .map(({ path }) => path)
    .filter((path) => /^(?:apps|libs)\/.*\/src\//.test(path) && !isSpec(path))
    .filter((path) => !ENTRY.test(path) && !entryPaths.has(path) && !named.has(path))
}
