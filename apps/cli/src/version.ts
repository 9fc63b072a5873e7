import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Paths } from './paths.ts'

/** Prints the version of this checkout and of the Node that runs it. */
export const version = (paths: Paths) => (): void => {
  const manifest = JSON.parse(readFileSync(join(paths.root, 'package.json'), 'utf8')) as {
    readonly version: string
  }
  process.stdout.write(`berth ${manifest.version} (node ${process.versions.node})\n`)
}
