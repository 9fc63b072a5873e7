import type { Clock } from '@berth/kernel'
import { askGrpcHealth } from './ask-grpc-health.ts'
import { askOverHttp, type AskProbe } from './ask-probe.ts'

/** Asks an engine in the protocol of the question. */
export const askEngine = (clock: Clock): AskProbe => {
  const overHttp = askOverHttp(clock)
  const overGrpc = askGrpcHealth(clock)
  return (access, probe, signal) =>
    (probe.protocol === 'grpc' ? overGrpc : overHttp)(access, probe, signal)
}
