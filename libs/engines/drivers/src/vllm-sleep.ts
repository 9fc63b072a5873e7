import type { EngineSpec, SleepCalls } from '@berth/supervision'
import { readObject } from './read-json.ts'

/** Weights of 100 GB go to main memory, and come back. */
const SLEEP_TIMEOUT_MS = 120_000

/** Level 1: weights go to main memory, the KV cache is dropped. */
export const vllmSleepCalls = ({ options }: EngineSpec): SleepCalls | undefined =>
  options.enable_sleep_mode === true ? SLEEP_CALLS : undefined

/** The calls themselves. */
export const SLEEP_CALLS: SleepCalls = {
  sleep: { method: 'POST', path: '/sleep?level=1', body: '', timeoutMs: SLEEP_TIMEOUT_MS },
  wake: { method: 'POST', path: '/wake_up', body: '', timeoutMs: SLEEP_TIMEOUT_MS },
  statePath: '/is_sleeping',
  readAsleep: (body) => {
    const asleep = readObject(body)?.is_sleeping
    return typeof asleep === 'boolean' ? asleep : undefined
  },
}
