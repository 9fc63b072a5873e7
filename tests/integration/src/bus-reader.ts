import { createRegistry, fromBinary } from '@bufbuild/protobuf'
import {
  file_berth_v1_event,
  file_berth_v1_fleet,
  file_berth_v1_pool_manager,
  file_berth_v1_scheduler,
  file_berth_v1_snapshot,
} from '@berth/contract'
import { connect } from '@nats-io/transport-node'

/** A message as anybody who subscribes sees it. */
export interface BusMessage {
  readonly subject: string
  /** By the content-type header, such as `berth.v1.HostSnapshot`. */
  readonly type: string
  readonly message: Readonly<Record<string, unknown>>
}

export interface BusReader extends AsyncDisposable {
  readonly messages: readonly BusMessage[]
  /** Why a message could not be read. */
  readonly problems: readonly string[]
}

const registry = createRegistry(
  ...[file_berth_v1_event, file_berth_v1_fleet, file_berth_v1_pool_manager],
  ...[file_berth_v1_scheduler, file_berth_v1_snapshot],
)

/** Subscribes with a plain NATS client, and decodes by nothing but headers and the contract. */
export const readBus = async (url: string, subject: string): Promise<BusReader> => {
  const connection = await connect({ servers: url })
  const messages: BusMessage[] = []
  const problems: string[] = []
  connection.subscribe(subject, {
    callback: (error, msg) => {
      if (error) return void problems.push(error.message)
      const contentType = msg.headers?.get('Content-Type') ?? ''
      const type = /^application\/protobuf; type=(.+)$/.exec(contentType)?.[1] ?? ''
      const schema = registry.getMessage(type)
      if (!schema) return void problems.push(`${msg.subject}: ${contentType}`)
      messages.push({ subject: msg.subject, type, message: { ...fromBinary(schema, msg.data) } })
    },
  })
  await connection.flush()
  return { messages, problems, [Symbol.asyncDispose]: () => connection.close() }
}
