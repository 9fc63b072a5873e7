import {
  DiscardPolicy,
  JetStreamApiError,
  jetstreamManager,
  RetentionPolicy,
  StorageType,
} from '@nats-io/jetstream'
import { nanos, type NatsConnection } from '@nats-io/transport-node'
import { STREAMS, type StreamSpec } from './streams.ts'

/** "stream name already in use with a different configuration" (nats-server errors.json). */
const STREAM_NAME_EXISTS = 10058

/** Makes every stream, or brings its bounds up to date. Any number of clients may do it at once. */
export const ensureStreams = async (nc: NatsConnection, timeoutMs: number): Promise<void> => {
  const { streams } = await jetstreamManager(nc, { checkAPI: false, timeout: timeoutMs })
  for (const spec of STREAMS) {
    const config = streamConfig(spec)
    try {
      // The same configuration again is no error.
      await streams.add(config)
    } catch (error) {
      if (!(error instanceof JetStreamApiError) || error.code !== STREAM_NAME_EXISTS) throw error
      await streams.update(spec.name, config)
    }
  }
}

const streamConfig = (spec: StreamSpec) => ({
  name: spec.name,
  subjects: [...spec.subjects],
  retention: RetentionPolicy.Limits,
  storage: StorageType.File,
  discard: DiscardPolicy.Old,
  max_msgs_per_subject: spec.messagesPerSubject,
  max_age: nanos(spec.maxAgeMs),
  max_bytes: spec.maxBytes,
  num_replicas: 1,
})
