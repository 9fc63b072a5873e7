// Bundles the programs into dist/, one file each: `node tools/build.ts [APP ...]`
import { mkdtemp, readdir, rename, rm, mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { bundle } from './bundle.ts'

const APPS = [
  'orchestratord',
  'orchestrator-core',
  'pool-managerd',
  'cli',
  'sim-engine',
  'embedded-engine',
]

const root = join(import.meta.dirname, '..')
const dist = join(root, 'dist')

// Built beside dist/ and moved there file by file, so that nobody runs half a bundle.
const wanted = process.argv.slice(2)
const began = new Date()
const scratch = await mkdtemp(join(root, 'dist.new-'))
try {
  const apps = wanted.length === 0 ? APPS : wanted
  const entryPoints = apps.map((app) => ({ in: `apps/${app}/src/main.ts`, out: app }))
  await bundle(root, entryPoints, scratch)
  await mkdir(dist, { recursive: true })
  for (const file of await readdir(scratch)) await rename(join(scratch, file), join(dist, file))
  // `./berth` builds again when a source is newer than this file.
  if (wanted.length === 0) await writeFile(join(dist, '.built'), `${began.toISOString()}\n`)
} finally {
  await rm(scratch, { recursive: true, force: true })
}
