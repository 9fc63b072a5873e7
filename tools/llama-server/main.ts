// Builds llama.cpp's own server for the tests, CPU only, and prints where it is:
//   node tools/llama-server/main.ts [TARGET_DIR]
// About six minutes on two cores; the same build is not made twice. Ends with 69 where this
// machine lacks what it takes to compile.
import { resolve } from 'node:path'
import { ensureLlamaServer } from './ensure-llama-server.ts'
import { missingPrograms } from './compile.ts'

const EXIT_UNAVAILABLE = 69
const root = resolve(import.meta.dirname, '..', '..')
const targetDir = resolve(process.argv[2] ?? `${root}/.berth/llama-server`)

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
  process.exitCode = EXIT_UNAVAILABLE
} else {
  process.stdout.write(`${path}\n`)
}
