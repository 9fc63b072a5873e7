// Builds llama.cpp's own server for the tests, CPU only, and prints where it is:
//   node tools/llama-server/main.ts [--optional] [TARGET_DIR]
// About six minutes on two cores; the same build is not made twice. Fails where this machine lacks
// what it takes to compile, unless that is fine.
import { resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { ensureLlamaServer } from './ensure-llama-server.ts'
import { missingPrograms } from './compile.ts'

const { values, positionals } = parseArgs({
  options: { optional: { type: 'boolean', default: false } },
  allowPositionals: true,
})
const root = resolve(import.meta.dirname, '..', '..')
const targetDir = resolve(positionals[0] ?? `${root}/.berth/llama-server`)

const missing = await missingPrograms()
const path = await ensureLlamaServer({
  targetDir,
  embeddedRuntimeDir: `${root}/.berth/embedded-engine`,
  canCompile: missing.length === 0,
  npmPath: 'npm',
  say: (line) => process.stderr.write(`${line}\n`),
})
if (path === undefined) {
  process.stderr.write(
    `llama-server is not built: there is no ${missing.join(' and no ')} here. ` +
      'On Debian: apt-get install cmake g++ make git.\n',
  )
  process.exitCode = values.optional ? 0 : 1
} else {
  process.stdout.write(`${path}\n`)
}
