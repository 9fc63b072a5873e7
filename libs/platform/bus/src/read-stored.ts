import type { DescMessage, MessageShape } from '@bufbuild/protobuf'
import { jetstreamManager } from '@nats-io/jetstream'
import { connect } from '@nats-io/transport-node'
import { connectionOptions, type BusCredentials } from './connection-options.ts'
import { streamOf } from './streams.ts'
import type { Subject } from './subjects.ts'
import { CONTENT_TYPE_HEADER, decodePayload } from './wire.ts'

/** Where a message is stored, and how long each step may take. */
export interface ReadStoredOptions {
  readonly url: string
  readonly credentials?: BusCredentials
  readonly timeoutMs: number
}

/**
 * The last message that a stream has of one subject, read once on a connection of its own;
 * `undefined` when there is none. Throws when NATS does not answer.
 */
export const readStored = async <M extends DescMessage>(
  subject: Subject<M>,
  options: ReadStoredOptions,
): Promise<MessageShape<M> | undefined> => {
  const stream = streamOf(subject.name)
  if (!stream) return undefined
  const nc = await connect({
    ...connectionOptions({ ...options, name: `berth reads ${subject.name}` }),
    ...{ reconnect: false, ignoreAuthErrorAbort: false, timeout: options.timeoutMs },
  })
  try {
    const jsm = await jetstreamManager(nc, { checkAPI: false, timeout: options.timeoutMs })
    const last = await jsm.streams.getMessage(stream.name, { last_by_subj: subject.name })
    if (!last) return undefined
    const contentType = last.header.get(CONTENT_TYPE_HEADER)
    return decodePayload(subject.schema, { contentType, bytes: last.data })
  } finally {
    await nc.close()
  }
}
