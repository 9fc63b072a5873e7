import { logVerbosity, setLogVerbosity, type ChannelOptions } from '@grpc/grpc-js'

/** grpc-js writes text to stderr about failures that it also returns; those are logged here. */
export const quietGrpc = () => setLogVerbosity(logVerbosity.NONE)

/**
 * A frozen peer (stopped process, dead network) shows no closed socket. A ping after 2 s of
 * silence that stays unanswered for 3 s ends the connection: unseen for 5 s at the most.
 */
const KEEPALIVE: ChannelOptions = {
  'grpc.keepalive_time_ms': 2_000,
  'grpc.keepalive_timeout_ms': 3_000,
  'grpc.keepalive_permit_without_calls': 1,
}

/** A gateway that re-declares 20,000 leases does so in one message of some 3 MiB. */
const MESSAGE_MAX_BYTES = 16 * 1024 * 1024

const LIMITS: ChannelOptions = {
  'grpc.max_receive_message_length': MESSAGE_MAX_BYTES,
  'grpc.max_send_message_length': MESSAGE_MAX_BYTES,
}

export const SERVER_OPTIONS: ChannelOptions = {
  ...KEEPALIVE,
  ...LIMITS,
  'grpc.max_concurrent_streams': 10_000,
}

export const CLIENT_OPTIONS: ChannelOptions = {
  ...KEEPALIVE,
  ...LIMITS,
  // The fleet's own network: a proxy set for the outside world must not come in between.
  'grpc.enable_http_proxy': 0,
  'grpc.service_config_disable_resolution': 1,
  // One connection per client, so that disposing of a client closes what it opened.
  'grpc.use_local_subchannel_pool': 1,
  // A restarted peer is found within a second, at a new address too.
  'grpc.initial_reconnect_backoff_ms': 100,
  'grpc.max_reconnect_backoff_ms': 1_000,
  'grpc.dns_min_time_between_resolutions_ms': 1_000,
}
