import { gib } from './in-words.ts'
import type { MemoryEstimate } from './memory-estimate.ts'

/** An estimate for people: a line for each term, the sum, and what each device has of it. */
export const explainEstimate = (estimate: MemoryEstimate): readonly string[] => {
  if (estimate.kind === 'unknown') return [estimate.reason]
  const terms = estimate.terms.map(
    ({ name, bytes, formula }) =>
      `${NAMES[name].padEnd(16)}${gib(bytes).padStart(12)}   ${formula}`,
  )
  if (estimate.kind === 'refused') return [...terms, estimate.reason]
  const { requiredBytes, hostBytes, perDevice, kvRoomTokens } = estimate
  return [
    ...terms,
    `${'sum'.padEnd(16)}${gib(requiredBytes + hostBytes).padStart(12)}`,
    ...perDevice.map(({ deviceId, bytes }) => `on device ${deviceId}: ${gib(bytes)}`),
    ...(hostBytes > 0 ? [`in main memory: ${gib(hostBytes)}`] : []),
    ...(kvRoomTokens === undefined ? [] : [`room for ${kvRoomTokens} cached tokens`]),
  ]
}

const NAMES = {
  weights: 'weights',
  kv_cache: 'KV cache',
  recurrent: 'recurrent state',
  compute: 'compute buffer',
  output: 'output buffer',
  overhead: 'overhead',
  declared: 'as configured',
} as const
