import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { createInterface } from 'node:readline'

const BUNDLE = join(import.meta.dirname, '..', '..', 'dist', 'sim-engine.js')

/** A simulated engine of its own, without a key, for calls that go around Berth. */
export const startFreeEngine = async (
  model: string,
): Promise<{ readonly url: string } & Disposable> => {
  const args = [BUNDLE, '--port', '0', '--model', model, '--slots', '1024']
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  let url: string | undefined
  for await (const line of createInterface(child.stdout)) {
    const port = /^{"sim":"listening","port":(\d+)}/.exec(line)?.[1]
    if (port === undefined) continue
    url = `http://127.0.0.1:${port}`
    break
  }
  if (url === undefined) throw new Error('The simulated engine ended before it listened')
  child.stdout.resume()
  return { url, [Symbol.dispose]: () => void child.kill('SIGKILL') }
}
