import { fromBinary, toBinary, type DescMessage, type MessageShape } from '@bufbuild/protobuf'

/** Names the encoding of a payload, for people and for other encodings to come. */
export const CONTENT_TYPE_HEADER = 'Content-Type'

export const contentTypeOf = (schema: DescMessage): string =>
  `application/protobuf; type=${schema.typeName}`

/** A message as it travels. */
export interface Payload {
  readonly contentType: string
  readonly bytes: Uint8Array
}

export const encodePayload = <M extends DescMessage>(
  schema: M,
  message: MessageShape<M>,
): Payload => ({ contentType: contentTypeOf(schema), bytes: toBinary(schema, message) })

/** Throws when the bytes are no such message, or say that they are another. */
export const decodePayload = <M extends DescMessage>(
  schema: M,
  payload: { readonly contentType: string; readonly bytes: Uint8Array },
): MessageShape<M> => {
  // Protobuf reads many a foreign message without complaint; the header tells.
  if (payload.contentType !== '' && payload.contentType !== contentTypeOf(schema))
    throw new Error(`content type ${payload.contentType} is not ${contentTypeOf(schema)}`)
  return fromBinary(schema, payload.bytes)
}
