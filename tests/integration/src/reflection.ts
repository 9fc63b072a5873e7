import {
  create,
  createFileRegistry,
  fromBinary,
  toBinary,
  type DescMethod,
  type FileRegistry,
  type MessageShape,
} from '@bufbuild/protobuf'
import { FileDescriptorProtoSchema, FileDescriptorSetSchema } from '@bufbuild/protobuf/wkt'
import { ServerReflection } from '@berth/contract/grpc'
import { Client, credentials } from '@grpc/grpc-js'

const METHOD = ServerReflection.method.serverReflectionInfo

type Question = MessageShape<typeof METHOD.input>['messageRequest']
type Answer = MessageShape<typeof METHOD.output>['messageResponse']
type AnswerCase = NonNullable<Answer['case']>

/** A client that knows of a server what its reflection tells, as grpcurl does. */
export interface Explorer extends Disposable {
  listServices(): Promise<string[]>
  /** The file that defines the symbol, and all that it imports. */
  describe(symbol: string): Promise<FileRegistry>
  /** A unary call with an empty request. */
  call(method: DescMethod): Promise<Record<string, unknown>>
}

const DEADLINE_MS = 10_000

export const explore = (address: string): Explorer => {
  const client = new Client(address, credentials.createInsecure())
  const deadline = () => ({ deadline: Date.now() + DEADLINE_MS })
  const ask = (messageRequest: Question): Promise<Answer> =>
    new Promise((resolve, reject) => {
      const stream = client.makeBidiStreamRequest(
        '/grpc.reflection.v1.ServerReflection/ServerReflectionInfo',
        (question: MessageShape<typeof METHOD.input>) =>
          Buffer.from(toBinary(METHOD.input, question)),
        (bytes: Buffer) => fromBinary(METHOD.output, bytes),
        deadline(),
      )
      stream.on('data', ({ messageResponse }: MessageShape<typeof METHOD.output>) =>
        resolve(messageResponse),
      )
      stream.on('error', reject)
      stream.write(create(METHOD.input, { messageRequest }))
      stream.end()
    })
  return {
    listServices: async () => {
      const answer = await ask({ case: 'listServices', value: '' })
      return expectCase(answer, 'listServicesResponse').service.map(({ name }) => name)
    },
    describe: async (symbol) => {
      const answer = await ask({ case: 'fileContainingSymbol', value: symbol })
      const { fileDescriptorProto } = expectCase(answer, 'fileDescriptorResponse')
      const file = fileDescriptorProto.map((bytes) => fromBinary(FileDescriptorProtoSchema, bytes))
      // A file comes before what it imports.
      return createFileRegistry(create(FileDescriptorSetSchema, { file: file.reverse() }))
    },
    call: (method) =>
      new Promise((resolve, reject) => {
        client.makeUnaryRequest(
          `/${method.parent.typeName}/${method.name}`,
          () => Buffer.alloc(0),
          (bytes: Buffer) => fromBinary(method.output, bytes),
          {},
          deadline(),
          (error, answer) => (answer ? resolve({ ...answer }) : reject(error as Error)),
        )
      }),
    [Symbol.dispose]: () => client.close(),
  }
}

const expectCase = <Case extends AnswerCase>(answer: Answer, wanted: Case) => {
  if (answer.case === wanted) return answer.value as Extract<Answer, { case: Case }>['value']
  throw new Error(`${wanted} expected, got ${JSON.stringify(answer)}`)
}
