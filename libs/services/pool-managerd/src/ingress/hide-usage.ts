import { createEventCutter, dataOf } from './cut-events.ts'
import { readObject, usageOf, type Json } from './read-chunk.ts'
import type { Usage } from './usage-tail.ts'

/** Takes out of a stream what is there because the ingress asked for usage. */
export interface UsageFilter {
  /** What the client gets of a piece. */
  push(piece: Buffer): Buffer[]
  end(): Buffer[]
  /** What the engine counted. */
  read(): Usage | undefined
}

const USAGE = Buffer.from('"usage"')
const FINISHED = Buffer.from('"finish_reason":"')
/** Fields of a chunk that say which answer it is part of, or are the usage. */
const OF_EVERY_CHUNK = new Set([
  ...['id', 'object', 'created', 'model', 'system_fingerprint', 'service_tier'],
  ...['choices', 'usage'],
])

/**
 * Engines tell usage in a chunk of its own, without choices. It goes; what llama-server tells in
 * it besides (`timings`) goes to the chunk before, where it is without that one. All other bytes
 * pass as they came, the chunk that finishes an answer as soon as the next is there.
 */
export const createUsageFilter = (): UsageFilter => {
  const cutter = createEventCutter()
  let usage: Usage | undefined
  let finishing: Buffer | undefined

  const flush = (): Buffer[] => {
    const held = finishing === undefined ? [] : [finishing]
    finishing = undefined
    return held
  }
  const pass = (event: Buffer): Buffer[] => {
    const chunk = event.includes(USAGE) ? readObject(dataOf(event)) : undefined
    const counted = chunk && usageOf(chunk)
    usage = counted ?? usage
    if (chunk && counted && isOnlyUsage(chunk)) {
      const more = restOf(chunk)
      if (finishing !== undefined && more !== '') finishing = extended(finishing, more)
      return []
    }
    const before = flush()
    if (!event.includes(FINISHED)) return [...before, event]
    finishing = event
    return before
  }
  return {
    push: (piece) => {
      const events = cutter.push(piece).flatMap(pass)
      return events.length < 2 ? events : [Buffer.concat(events)]
    },
    end: () => [...flush(), ...nonEmpty(cutter.rest())],
    read: () => usage,
  }
}

const nonEmpty = (bytes: Buffer): Buffer[] => (bytes.length === 0 ? [] : [bytes])

const isOnlyUsage = ({ choices }: Json): boolean => Array.isArray(choices) && choices.length === 0

const restOf = (chunk: Json): string =>
  Object.entries(chunk)
    .filter(([name]) => !OF_EVERY_CHUNK.has(name))
    .map(([name, value]) => `,${JSON.stringify(name)}:${JSON.stringify(value)}`)
    .join('')

const extended = (event: Buffer, fields: string): Buffer => {
  const end = event.lastIndexOf('}')
  return Buffer.concat([event.subarray(0, end), Buffer.from(fields), event.subarray(end)])
}
