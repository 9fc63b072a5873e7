import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

/** The repository's root folder. */
export const root = join(import.meta.dirname, '../../..')

export interface ProjectFile {
  /** From the root, with `/`. */
  readonly path: string
  readonly text: string
}

/** Paths of the files git tracks or would track, without what tools generate. */
export const projectPaths = (): string[] =>
  execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard'], {
    cwd: root,
    encoding: 'utf8',
    maxBuffer: 64 * 2 ** 20,
  })
    .split('\n')
    .filter((path) => path !== '' && existsSync(join(root, path)))

/** Hand-written TypeScript with its text. */
export const sourceFiles = (): ProjectFile[] =>
  projectPaths()
    .filter((path) => path.endsWith('.ts') && !isGenerated(path))
    .map((path) => ({ path, text: readFileSync(join(root, path), 'utf8') }))

/** Generated code has a `gen` folder to itself. */
export const isGenerated = (path: string): boolean => path.includes('/gen/')

export const isSpec = (path: string): boolean => path.endsWith('.spec.ts')
