import { dirname, join, resolve } from 'node:path'

/** Where everything of a checkout stands. All paths are absolute. */
export interface Paths {
  readonly root: string
  /** One bundle per program. */
  readonly distDir: string
  readonly modelsDir: string
  readonly embeddedRuntimeDir: string
  /** All that one fleet writes: state, logs, the NATS store, the agent's records. */
  readonly runDir: string
  readonly logsDir: string
}

/**
 * The paths of this checkout. `BERTH_RUN_DIR` moves what a fleet writes, so that several can run
 * side by side.
 */
export const readPaths = (env: Readonly<Record<string, string | undefined>>): Paths => {
  const root = env['BERTH_ROOT'] ?? dirname(import.meta.dirname)
  const stateDir = join(root, '.berth')
  const runDir = resolve(env['BERTH_RUN_DIR'] ?? join(stateDir, 'run'))
  return {
    root,
    distDir: join(root, 'dist'),
    modelsDir: join(stateDir, 'models'),
    embeddedRuntimeDir: join(stateDir, 'embedded-engine'),
    runDir,
    logsDir: join(runDir, 'logs'),
  }
}
