import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { createServer, type AddressInfo } from 'node:net'
import { eventually } from './eventually.ts'

export interface SimExit {
  readonly code: number | null
  readonly signal: string | null
}

/** A simulated engine as a test holds it: the real program in its own process group. */
export interface SimProcess {
  readonly child: ChildProcess
  readonly pid: number
  readonly exited: Promise<SimExit>
  /** Everything printed so far, both streams. */
  output(): string
  /** The port it says it listens on. */
  listening(): Promise<number>
}

const MAIN = new URL('../main.ts', import.meta.url).pathname
const running = new Set<SimProcess>()

export const startSim = (...flags: readonly string[]): SimProcess => {
  const child = spawn(process.execPath, [MAIN, ...flags], {
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { PATH: process.env['PATH'] },
  })
  let text = ''
  const collect = (chunk: Buffer) => (text += chunk.toString('utf8'))
  child.stdout.on('data', collect)
  child.stderr.on('data', collect)
  const exited = new Promise<SimExit>((resolve) => {
    child.once('exit', (code, signal) => resolve({ code, signal }))
  })
  const sim: SimProcess = {
    child,
    pid: child.pid!,
    exited,
    output: () => text,
    listening: () =>
      eventually('the engine listens', () => {
        const port = /"sim":"listening","port":(\d+)/.exec(text)?.[1]
        if (port === undefined && child.exitCode !== null) throw new Error(`It ended:\n${text}`)
        return port === undefined ? undefined : Number(port)
      }),
  }
  running.add(sim)
  return sim
}

/** Kills what a test left, with all its children. */
export const stopAllSims = async (): Promise<void> => {
  for (const sim of running) {
    try {
      process.kill(-sim.pid, 'SIGKILL')
    } catch {
      // No such group: it has ended, which is what was wanted.
    }
    await sim.exited
  }
  running.clear()
}

export const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    // ESRCH: there is no such process.
    return false
  }
}

/** A port that was free a moment ago. */
export const freePort = async (): Promise<number> => {
  const server = createServer()
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}
