import { readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { projectPaths, root } from './project-files.ts'

export interface WorkspacePackage {
  /** Folder from the root. */
  readonly folder: string
  readonly name: string
  readonly tags: readonly string[]
  readonly exportedPaths: readonly string[]
}

interface PackageJson {
  readonly name: string
  readonly exports?: Readonly<Record<string, string>>
  readonly nx?: { readonly tags?: readonly string[] }
}

/** Every package of the workspace, the root aside. */
export const workspacePackages = (): WorkspacePackage[] =>
  projectPaths()
    .filter((path) =>
      /^(?:(?:apps|tests|libs\/\w+)\/[^/]+|libs\/sim|bench)\/package\.json$/.test(path),
    )
    .map((path) => {
      const manifest = JSON.parse(readFileSync(join(root, path), 'utf8')) as PackageJson
      const folder = dirname(path)
      return {
        folder,
        name: manifest.name,
        tags: manifest.nx?.tags ?? [],
        exportedPaths: Object.values(manifest.exports ?? {}).map((target) => join(folder, target)),
      }
    })
