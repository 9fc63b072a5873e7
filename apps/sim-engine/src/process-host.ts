import type { Host } from './engine.ts'
import { readIdentity } from './identity.ts'

const MASK = /^(?:CUDA|HIP|ROCR)_VISIBLE_DEVICES$|^CUDA_DEVICE_ORDER$/

/** This process, as an engine sees it. */
export const processHost = (): Host => ({
  pid: process.pid,
  deviceMask: Object.fromEntries(
    Object.entries(process.env).flatMap(([name, value = '']) =>
      MASK.test(name) ? [[name, value]] : [],
    ),
  ),
  identity: readIdentity,
  out: (line) => void process.stdout.write(`${line}\n`),
  err: (line) => void process.stderr.write(`${line}\n`),
  exit: (code) => process.exit(code),
  onTerminate: (handler) => {
    process.on('SIGTERM', handler)
    process.on('SIGINT', handler)
  },
})
