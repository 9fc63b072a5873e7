import { join } from 'node:path'
import type { Preparation } from './prepare-pools.ts'
import { runTool } from './run-tool.ts'
import { watched } from './wait-until.ts'

/**
 * Builds the real llama-server for the tests, once: minutes. Where this machine has no compiler
 * nothing is built and its tests are skipped; in the gate (`BERTH_GATE=1`) that is a failure.
 */
export const prepareLlamaServer = async (options: Preparation): Promise<void> => {
  const { paths, signal } = options
  const isGate = process.env['BERTH_GATE'] === '1'
  const tool = join(paths.root, 'tools/llama-server/main.ts')
  await watched({ ...options, label: 'Preparing llama-server' }, () =>
    runTool(paths, {
      argv: [process.execPath, tool, ...(isGate ? [] : ['--optional'])],
      name: 'build-llama-server',
      signal,
      failure: {
        message: 'llama-server could not be built.',
        next: 'Install cmake, g++, make and git.',
      },
    }),
  )
}
