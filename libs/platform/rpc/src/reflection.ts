import { toBinary, type DescFile, type DescService } from '@bufbuild/protobuf'
import { nestedTypes } from '@bufbuild/protobuf/reflect'
import { FileDescriptorProtoSchema } from '@bufbuild/protobuf/wkt'
import { ServerReflection, AlphaReflection } from '@berth/contract/grpc'
import { status } from '@grpc/grpc-js'
import type { BidiStream } from './bidi-stream.ts'
import { implement, type RpcService } from './implement.ts'

/**
 * `grpc.reflection.v1` (and `v1alpha`, which some tools still ask for) from the descriptors that
 * are compiled in. The npm package for it reads .proto files, which a bundle does not have.
 */
export const createReflection = (services: readonly DescService[]): readonly RpcService[] => {
  const served = [...services, ServerReflection, AlphaReflection]
  const index = indexFiles(served.map((service) => service.file))
  const names = served.map((service) => service.typeName).sort()
  return [
    implement(ServerReflection, {
      serverReflectionInfo: (stream) => answerAll(stream, index, names),
    }),
    implement(AlphaReflection, {
      serverReflectionInfo: (stream) => answerAll(stream, index, names),
    }),
  ]
}

interface FileIndex {
  readonly byName: ReadonlyMap<string, DescFile>
  readonly bySymbol: ReadonlyMap<string, DescFile>
}

type Asked =
  | { readonly case: 'fileByFilename'; readonly value: string }
  | { readonly case: 'fileContainingSymbol'; readonly value: string }
  | { readonly case: 'fileContainingExtension'; readonly value: { containingType: string } }
  | { readonly case: 'allExtensionNumbersOfType'; readonly value: string }
  | { readonly case: 'listServices'; readonly value: string }
  | { readonly case: undefined }

/** What v1 and v1alpha share. */
interface Question {
  readonly host: string
  readonly messageRequest: Asked
}

type Answer =
  | { readonly case: 'listServicesResponse'; readonly value: { service: { name: string }[] } }
  | {
      readonly case: 'fileDescriptorResponse'
      readonly value: { fileDescriptorProto: Uint8Array<ArrayBuffer>[] }
    }
  | {
      readonly case: 'allExtensionNumbersResponse'
      readonly value: { baseTypeName: string; extensionNumber: number[] }
    }
  | {
      readonly case: 'errorResponse'
      readonly value: { errorCode: number; errorMessage: string }
    }

interface Reply {
  readonly validHost: string
  readonly messageResponse: Answer
}

const answerAll = async <Q extends Question>(
  stream: BidiStream<Q, Reply & { originalRequest: Q }>,
  index: FileIndex,
  names: readonly string[],
): Promise<void> => {
  for await (const question of stream.messages) {
    stream.send({
      validHost: question.host,
      originalRequest: question,
      messageResponse: answer(question, index, names),
    })
  }
}

const answer = ({ messageRequest }: Question, index: FileIndex, names: readonly string[]) => {
  switch (messageRequest.case) {
    case 'listServices':
      return {
        case: 'listServicesResponse',
        value: { service: names.map((name) => ({ name })) },
      } satisfies Answer
    case 'fileByFilename':
      return fileAnswer(index.byName.get(messageRequest.value), messageRequest.value)
    case 'fileContainingSymbol':
      return fileAnswer(findSymbol(index, messageRequest.value), messageRequest.value)
    case 'allExtensionNumbersOfType':
      // Berth's protos are proto3 and extend nothing.
      return {
        case: 'allExtensionNumbersResponse',
        value: { baseTypeName: messageRequest.value, extensionNumber: [] },
      } satisfies Answer
    case 'fileContainingExtension':
      return fileAnswer(undefined, `extension of ${messageRequest.value.containingType}`)
    default:
      return {
        case: 'errorResponse',
        value: { errorCode: status.INVALID_ARGUMENT, errorMessage: 'The request asks nothing.' },
      } satisfies Answer
  }
}

const fileAnswer = (file: DescFile | undefined, wanted: string): Answer =>
  file
    ? {
        case: 'fileDescriptorResponse',
        value: {
          fileDescriptorProto: [...withDependencies(file)].map((each) =>
            toBinary(FileDescriptorProtoSchema, each.proto),
          ),
        },
      }
    : {
        case: 'errorResponse',
        value: { errorCode: status.NOT_FOUND, errorMessage: `"${wanted}" is not known here.` },
      }

/** Methods, fields and enum values are found through what contains them. */
const findSymbol = ({ bySymbol }: FileIndex, symbol: string): DescFile | undefined =>
  bySymbol.get(symbol) ?? bySymbol.get(symbol.slice(0, Math.max(0, symbol.lastIndexOf('.'))))

const indexFiles = (files: readonly DescFile[]): FileIndex => {
  const all = new Set(files.flatMap((file) => [...withDependencies(file)]))
  const byName = new Map([...all].map((file) => [file.proto.name, file]))
  const bySymbol = new Map<string, DescFile>()
  for (const file of all) {
    for (const type of nestedTypes(file)) bySymbol.set(type.typeName, file)
  }
  return { byName, bySymbol }
}

const withDependencies = (file: DescFile, found = new Set<DescFile>()): Set<DescFile> => {
  if (!found.has(file)) {
    found.add(file)
    for (const dependency of file.dependencies) withDependencies(dependency, found)
  }
  return found
}
