import type { DescMessage } from '@bufbuild/protobuf'
import { messageOf } from '@berth/kernel'
import type { BusLog } from './bus-log.ts'
import type { MessageOrigin, OnMessage } from './bus.ts'
import type { Subject } from './subjects.ts'
import { decodePayload } from './wire.ts'

/** Takes a payload as it arrived. */
export type Receive = (
  subjectName: string,
  payload: { readonly contentType: string; readonly bytes: Uint8Array },
  origin?: MessageOrigin,
) => void

/**
 * Decodes and hands on. A payload that is not the message is counted and logged; a subscriber
 * that throws is logged: neither may reach the connection, which serves others too.
 */
export const createReceiver =
  <M extends DescMessage>(
    pattern: Subject<M>,
    on: OnMessage<M>,
    { log, onUndecodable }: { readonly log: BusLog; readonly onUndecodable: () => void },
  ): Receive =>
  (subjectName, payload, origin = 'live') => {
    let message
    try {
      message = decodePayload(pattern.schema, payload)
    } catch (error) {
      onUndecodable()
      log.warn({ subject: subjectName, problem: messageOf(error) }, 'payload is undecodable')
      return
    }
    try {
      on(message, subjectName, origin)
    } catch (error) {
      log.error({ err: error, subject: subjectName }, 'subscriber failed')
    }
  }
