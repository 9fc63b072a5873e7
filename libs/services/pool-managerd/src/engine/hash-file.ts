import { Worker } from 'node:worker_threads'

/** How the reading of a file is followed, and given up. */
export interface HashOptions {
  readonly signal?: AbortSignal
  /** From 0 to 1. */
  onProgress?(ratio: number): void
}

/**
 * Text, and no module of its own: a bundle is one file. A model of many gigabytes takes minutes,
 * and on the main thread each of its chunks would hold up every stream for a while.
 */
const PROGRAM = `
const { createHash } = require('node:crypto')
const { closeSync, fstatSync, openSync, readSync } = require('node:fs')
const { parentPort, workerData } = require('node:worker_threads')
const hash = createHash('sha256')
const chunk = Buffer.allocUnsafe(4 * 1_048_576)
const file = openSync(workerData, 'r')
const { size } = fstatSync(file)
let bytes = 0
for (let read; (read = readSync(file, chunk)) > 0; ) {
  hash.update(chunk.subarray(0, read))
  bytes += read
  parentPort.postMessage({ ratio: Math.min(1, bytes / size) })
}
closeSync(file)
parentPort.postMessage({ digest: hash.digest('hex') })
`

type Told = { readonly ratio: number } | { readonly digest: string }

/**
 * SHA-256 of a file in hex, computed by a worker thread. Rejects when it cannot be read, and with
 * the signal's reason when that aborts; then the worker ends at its next chunk.
 */
export const hashFile = async (path: string, options: HashOptions = {}): Promise<string> => {
  const { signal, onProgress } = options
  signal?.throwIfAborted()
  const worker = new Worker(PROGRAM, { eval: true, workerData: path, execArgv: [], env: {} })
  const onAbort = () => void worker.terminate()
  signal?.addEventListener('abort', onAbort, { once: true })
  try {
    return await new Promise((resolve, reject) => {
      worker.on('message', (told: Told) => {
        if ('digest' in told) resolve(told.digest)
        else onProgress?.(told.ratio)
      })
      worker.once('error', reject)
      worker.once('exit', () => reject((signal?.reason as Error | undefined) ?? ended()))
    })
  } finally {
    signal?.removeEventListener('abort', onAbort)
    await worker.terminate()
  }
}

const ended = () => new Error('the worker that read it has ended')
