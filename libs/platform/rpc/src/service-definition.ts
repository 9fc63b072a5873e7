import {
  create,
  fromBinary,
  toBinary,
  type DescMessage,
  type DescMethod,
  type DescService,
} from '@bufbuild/protobuf'
import type { MethodDefinition, ServiceDefinition } from '@grpc/grpc-js'

/**
 * The grpc-js definition of a protobuf-es service, keyed by the methods' local names. There is no
 * official generator for this pair (bufbuild/protobuf-es issue 252).
 */
export const serviceDefinition = (service: DescService): ServiceDefinition =>
  Object.fromEntries(
    service.methods.map((method) => [method.localName, methodDefinition(service, method)]),
  )

/** The grpc-js definition of one method. Messages may be given as init shapes. */
export const methodDefinition = (
  service: DescService,
  method: DescMethod,
): MethodDefinition<unknown, unknown> => ({
  path: `/${service.typeName}/${method.name}`,
  originalName: method.localName,
  requestStream: method.methodKind === 'client_streaming' || method.methodKind === 'bidi_streaming',
  responseStream:
    method.methodKind === 'server_streaming' || method.methodKind === 'bidi_streaming',
  requestSerialize: serializer(method.input),
  requestDeserialize: (bytes) => fromBinary(method.input, bytes),
  responseSerialize: serializer(method.output),
  responseDeserialize: (bytes) => fromBinary(method.output, bytes),
})

const serializer = (schema: DescMessage) => (message: unknown) => {
  // `create` returns a message of the schema as it is.
  const bytes = toBinary(schema, create(schema, message as Record<string, unknown>))
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}
