import { readPaths } from './paths.ts'
import { createProgram } from './program.ts'
import { EXIT } from './exit-code.ts'

try {
  await createProgram(readPaths(process.env)).parseAsync()
} catch (error) {
  // commander has printed what was wrong; its own code is 0 after --help.
  process.exitCode = (error as { exitCode?: number }).exitCode === 0 ? EXIT.ok : EXIT.usage
}
