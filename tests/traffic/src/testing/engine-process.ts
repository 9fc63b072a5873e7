import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onProcessExit, spawnChild } from '@berth/runtime'
import { simAdmin, until, type SimAdmin } from '@berth/test-support'

const BUNDLE = join(import.meta.dirname, '../../../../dist/sim-engine.js')

/** A simulated engine as a child process, without a fleet around it. */
export interface EngineProcess extends AsyncDisposable {
  readonly url: string
  readonly admin: SimAdmin
}

/** `flags` as the engine takes them: `--tokens-per-s=50`. */
export const startEngine = async (...flags: readonly string[]): Promise<EngineProcess> => {
  const dir = await mkdtemp(join(tmpdir(), 'berth-traffic-'))
  const log = join(dir, 'engine.log')
  const child = await spawnChild({
    argv: [process.execPath, BUNDLE, '--slots=16', ...flags],
    env: {},
    cwd: dir,
    stdoutPath: log,
    stderrPath: log,
  })
  child.onExit(onProcessExit(() => child.signalGroup('SIGKILL')))
  const port = await until('the engine listens', async () => {
    const text = await readFile(log, 'utf8').catch(() => '')
    return /"sim":"listening".*"port":(\d+)/.exec(text)?.[1]
  })
  const url = `http://127.0.0.1:${port}`
  await until('the engine serves', () =>
    fetch(`${url}/health`).then(
      ({ ok }) => ok,
      () => false,
    ),
  )
  return {
    url,
    admin: simAdmin(url),
    [Symbol.asyncDispose]: async () => {
      child.signalGroup('SIGKILL')
      await until('the engine ends', () => !child.groupIsAlive())
      await rm(dir, { recursive: true, force: true })
    },
  }
}
