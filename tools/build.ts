// Bundles the programs into dist/, one file each: `node tools/build.ts [NAME ...]`
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

/** Programs that are no app: a lib runs them beside the app that it is part of. */
const PROGRAMS: Readonly<Record<string, string>> = {
  'model-header-reader': 'libs/platform/model-headers/src/program.ts',
}

const root = join(import.meta.dirname, '..')
const dist = join(root, 'dist')

// Built beside dist/ and moved there file by file, so that nobody runs half a bundle.
const wanted = process.argv.slice(2)
const began = new Date()
const scratch = await mkdtemp(join(root, 'dist.new-'))
try {
  const names = wanted.length === 0 ? [...APPS, ...Object.keys(PROGRAMS)] : wanted
  const entryPoints = names.map((out) => ({ in: PROGRAMS[out] ?? `apps/${out}/src/main.ts`, out }))
  await bundle(root, entryPoints, scratch)
  await mkdir(dist, { recursive: true })
  for (const file of await readdir(scratch)) await rename(join(scratch, file), join(dist, file))
  // `./berth` builds again when a source is newer than this file.
  if (wanted.length === 0) await writeFile(join(dist, '.built'), `${began.toISOString()}\n`)
} finally {
  await rm(scratch, { recursive: true, force: true })
}
