import { dirname, join } from 'node:path'
import { isSpec, type ProjectFile } from './project-files.ts'

const IMPORTED = /(?:from|import\(?)\s*'(\.{1,2}\/[^']+\.ts)'/g
const ENTRY = /\/main\.ts$|\/src\/index\.ts$|\/src\/testing\/index\.ts$/

/** Sources under `apps` and `libs` that nothing imports and no one starts. */
export const deadFiles = (
  files: readonly ProjectFile[],
  entryPaths: ReadonlySet<string>,
): string[] => {
  const imported = new Set(
    files.flatMap(({ path, text }) =>
      [...text.matchAll(IMPORTED)].map(([, target = '']) => join(dirname(path), target)),
    ),
  )
  return files
    .map(({ path }) => path)
    .filter((path) => /^(?:apps|libs)\/.*\/src\//.test(path) && !isSpec(path))
    .filter((path) => !ENTRY.test(path) && !entryPaths.has(path) && !imported.has(path))
}
