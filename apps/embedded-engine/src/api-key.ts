import { createHash, timingSafeEqual } from 'node:crypto'
import type { IncomingHttpHeaders } from 'node:http'

/** Whether the request carries one of the keys; without keys every request is accepted. */
export const isKeyAccepted = (headers: IncomingHttpHeaders, keys: readonly string[]): boolean => {
  if (keys.length === 0) return true
  const bearer = /^Bearer (.+)$/i.exec(headers.authorization ?? '')?.[1]
  const given = digest(bearer ?? String(headers['x-api-key'] ?? ''))
  return keys.map((key) => timingSafeEqual(digest(key), given)).includes(true)
}

const digest = (text: string): Buffer => createHash('sha256').update(text).digest()
