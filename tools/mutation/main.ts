// Mutation tests of the domain libs that decide: `npm run mutation`, and of one of them:
// `npm run mutation -- admission`. Ends with an error where a score is below the threshold.
import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'

const LIBS = ['placement', 'admission', 'supervision']
const CONFIG = fileURLToPath(new URL('stryker.config.mjs', import.meta.url))

const wanted = process.argv.slice(2)
const unknown = wanted.filter((lib) => !LIBS.includes(lib))
if (unknown.length > 0) {
  process.stderr.write(
    `No mutation tests for ${unknown.join(', ')}. There are: ${LIBS.join(', ')}.` + '\n',
  )
  process.exit(2)
}
const failed = (wanted.length > 0 ? wanted : LIBS).filter((lib) => {
  const env = { ...process.env, BERTH_MUTATE: lib }
  return spawnSync('stryker', ['run', CONFIG], { env, stdio: 'inherit' }).status !== 0
})
if (failed.length > 0) {
  process.stderr.write(`Below the threshold, or not run: ${failed.join(', ')}\n`)
  process.exit(1)
}
