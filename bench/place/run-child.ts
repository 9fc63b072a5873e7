import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { createInterface } from 'node:readline'

/** A program of this folder as a process of its own. Disposing kills it. */
export interface BenchChild extends Disposable {
  /** Its first line, of which there is one. */
  readonly line: string
}

/** Starts one and resolves with what it says; rejects when it ends without a word. */
export const runChild = async (
  file: 'echo.ts' | 'gateway.ts',
  flags: Readonly<Record<string, string | number>> = {},
): Promise<BenchChild> => {
  const args = Object.entries(flags).map(([flag, value]) => `--${flag}=${value}`)
  const child = spawn(process.execPath, [join(import.meta.dirname, file), ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  using starting = new DisposableStack()
  starting.defer(() => void child.kill('SIGKILL'))
  for await (const line of createInterface(child.stdout)) {
    const owned = starting.move()
    return { line, [Symbol.dispose]: () => owned.dispose() }
  }
  throw new Error(`${file} ended without a result`)
}
