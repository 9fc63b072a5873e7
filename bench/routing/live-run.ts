import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as after } from 'node:timers/promises'

/** How the simulated engine is set: a first token and each later one take as long as one another. */
export interface LiveSettings {
  readonly slots: number
  readonly tokenMs: number
}

/** One request of a live run, in milliseconds since its start. */
export interface LiveRequest {
  readonly arrivalMs: number
  readonly outputTokens: number
  readonly firstTokenMs: number
  readonly finishedMs: number
}

const ENGINE = join(import.meta.dirname, '..', '..', 'apps', 'sim-engine', 'src', 'main.ts')
const REQUEST_TIMEOUT_MS = 60_000

/** Sends streaming requests to a simulated engine of its own at the given times, and times them. */
export const runLive = async (
  settings: LiveSettings,
  arrivalsMs: readonly number[],
  maxTokens: readonly number[],
): Promise<LiveRequest[]> => {
  await using engine = await startEngine(settings)
  const startedAt = performance.now()
  return await Promise.all(
    arrivalsMs.map(async (arrivalMs, n) => {
      await after(Math.max(0, arrivalMs - (performance.now() - startedAt)))
      return timeRequest(engine.url, maxTokens[n]!, startedAt)
    }),
  )
}

const timeRequest = async (
  url: string,
  maxTokens: number,
  startedAt: number,
): Promise<LiveRequest> => {
  const arrivalMs = performance.now() - startedAt
  const response = await fetch(`${url}/v1/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ model: 'm', prompt: 'calibrate', max_tokens: maxTokens, stream: true }),
    signal: AbortSignal.timeout(REQUEST_TIMEOUT_MS),
  })
  if (!response.ok || !response.body) throw new Error(`The engine answered ${response.status}`)
  let firstTokenMs = 0
  let text = ''
  for await (const chunk of response.body) {
    if (text === '') firstTokenMs = performance.now() - startedAt
    text += Buffer.from(chunk).toString()
  }
  const finishedMs = performance.now() - startedAt
  const outputTokens = text.split('"text":"').filter((part) => !part.startsWith('"')).length - 1
  return { arrivalMs, outputTokens, firstTokenMs, finishedMs }
}

const startEngine = async ({ slots, tokenMs }: LiveSettings) => {
  const flags = {
    port: 0,
    model: 'm',
    slots,
    'tokens-per-s': 1_000 / tokenMs,
    'first-token-ms': tokenMs,
  }
  const args = Object.entries(flags).flatMap(([name, value]) => [`--${name}`, String(value)])
  const child = spawn(process.execPath, [ENGINE, '--dialect', 'vllm', ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()))
  for await (const line of createInterface(child.stdout)) {
    const port = /^{"sim":"listening","port":(\d+)}/.exec(line)?.[1]
    if (port === undefined) continue
    child.stdout.resume()
    const url = `http://127.0.0.1:${port}`
    await untilReady(url)
    return {
      url,
      [Symbol.asyncDispose]: async () => {
        child.kill('SIGKILL')
        await ended
      },
    }
  }
  throw new Error('The simulated engine ended before it listened')
}

const READY_TIMEOUT_MS = 10_000

/** As vLLM, it refuses connections while it loads. */
const untilReady = async (url: string): Promise<void> => {
  const deadlineMs = performance.now() + READY_TIMEOUT_MS
  while (performance.now() < deadlineMs) {
    const isUp = await fetch(`${url}/health`).then(
      ({ ok }) => ok,
      () => false,
    )
    if (isUp) return
    await after(20)
  }
  throw new Error('The simulated engine did not get ready')
}
