import type { DescMessage } from '@bufbuild/protobuf'
import { EventSchema, HostHeartbeatSchema, HostSnapshotSchema } from '@berth/contract'

/** A NATS subject, or a pattern of them, and the message that travels there. */
export interface Subject<M extends DescMessage> {
  readonly name: string
  readonly schema: M
}

const ROOT = 'berth.v1'

/** Every subject there is. Nothing else spells one. Ids are `[a-z0-9-]`, one token each. */
export const subjects = {
  /** Full state of a host; the stream keeps the last one. */
  hostSnapshot: (hostId: string) => ({
    name: `${ROOT}.host.${token(hostId)}.snapshot`,
    schema: HostSnapshotSchema,
  }),
  /** Sign of life of a host; not stored. */
  hostHeartbeat: (hostId: string) => ({
    name: `${ROOT}.host.${token(hostId)}.heartbeat`,
    schema: HostHeartbeatSchema,
  }),
  /** Something that happened; `key` is the host or the operation it happened to. */
  event: (kind: string, key: string) => ({
    name: `${ROOT}.event.${token(kind)}.${token(key)}`,
    schema: EventSchema,
  }),
  allHostSnapshots: { name: `${ROOT}.host.*.snapshot`, schema: HostSnapshotSchema },
  allHostHeartbeats: { name: `${ROOT}.host.*.heartbeat`, schema: HostHeartbeatSchema },
  allEvents: { name: `${ROOT}.event.>`, schema: EventSchema },
} as const

/** One token of a subject: what NATS gives a meaning to becomes `_`. */
const token = (id: string): string => id.replace(/[^\w-]/g, '_') || '_'

/** True when the pattern takes in the subject (or the narrower pattern). */
export const subjectCovers = (pattern: string, subject: string): boolean => {
  const wanted = pattern.split('.')
  const given = subject.split('.')
  for (const [at, part] of wanted.entries()) {
    if (part === '>') return given.length > at
    if (at >= given.length || (part !== '*' && part !== given[at])) return false
  }
  return wanted.length === given.length
}
