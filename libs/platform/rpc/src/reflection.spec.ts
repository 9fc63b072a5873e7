import { create, createFileRegistry, fromBinary, type DescService } from '@bufbuild/protobuf'
import {
  FileDescriptorProtoSchema,
  FileDescriptorSetSchema,
  type FileDescriptorProto,
} from '@bufbuild/protobuf/wkt'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { ServerReflection, AlphaReflection } from '@berth/contract/grpc'
import { Client, credentials } from '@grpc/grpc-js'
import { methodDefinition } from './service-definition.ts'
import { startEchoFleet, type EchoFleet } from './testing/echo-fleet.ts'

let fleet: EchoFleet
beforeAll(async () => {
  fleet = await startEchoFleet()
})
afterAll(async () => {
  await fleet[Symbol.asyncDispose]()
})

interface Answer {
  readonly messageResponse: { readonly case: string; readonly value: Record<string, never> }
}

/** Asks as a plain grpc-js client does. */
const ask = (question: object, service: DescService = ServerReflection): Promise<Answer> =>
  new Promise((resolve, reject) => {
    const client = new Client(fleet.address, credentials.createInsecure())
    const method = methodDefinition(service, service.method.serverReflectionInfo!)
    const stream = client.makeBidiStreamRequest(
      method.path,
      method.requestSerialize,
      method.responseDeserialize,
    )
    stream.on('data', (answer: Answer) => {
      stream.end()
      stream.on('end', () => {
        client.close()
        resolve(answer)
      })
    })
    stream.on('error', reject)
    stream.write({ messageRequest: question })
  })

const filesOf = ({ messageResponse }: Answer): FileDescriptorProto[] =>
  (messageResponse.value.fileDescriptorProto as unknown as Uint8Array[]).map((bytes) =>
    fromBinary(FileDescriptorProtoSchema, bytes),
  )

describe('reflection', () => {
  it.each([ServerReflection, AlphaReflection])('lists every service (%s)', async (v) => {
    const { messageResponse } = await ask({ case: 'listServices', value: '' }, v)
    expect(messageResponse.case).toBe('listServicesResponse')
    expect(messageResponse.value.service).toMatchObject([
      { name: 'berth.testing.v1.EchoService' },
      { name: 'grpc.health.v1.Health' },
      { name: 'grpc.reflection.v1.ServerReflection' },
      { name: 'grpc.reflection.v1alpha.ServerReflection' },
    ])
  })

  it.each([
    ['a service', 'berth.testing.v1.EchoService'],
    ['a method', 'berth.testing.v1.EchoService.Say'],
    ['a message', 'berth.testing.v1.SayRequest'],
    ['a field', 'berth.testing.v1.SayRequest.text'],
  ])('finds the file of %s', async (_, value) => {
    const [file] = filesOf(await ask({ case: 'fileContainingSymbol', value }))
    expect(file?.name).toBe('echo.proto')
  })

  it('finds a file by its name', async () => {
    const value = 'grpc/health/v1/health.proto'
    expect(filesOf(await ask({ case: 'fileByFilename', value }))).toMatchObject([{ name: value }])
  })

  it.each([
    { case: 'fileByFilename', value: 'no/such.proto' },
    { case: 'fileContainingSymbol', value: 'no.Such' },
    { case: 'fileContainingExtension', value: { containingType: 'no.Such', extensionNumber: 1 } },
  ])('says NOT_FOUND to $case', async (question) => {
    const { messageResponse } = await ask(question)
    expect(messageResponse).toMatchObject({ case: 'errorResponse', value: { errorCode: 5 } })
  })

  it('sends all that a file imports, so that a client can build it', async () => {
    const answer = await ask({ case: 'fileByFilename', value: 'echo.proto' })
    const names = filesOf(answer).map(({ name }) => name)
    expect(names).toEqual(['echo.proto', 'google/protobuf/duration.proto'])
    const file = filesOf(answer).reverse()
    const built = createFileRegistry(create(FileDescriptorSetSchema, { file }))
    const service = built.getService('berth.testing.v1.EchoService')
    expect(service?.methods.map(({ name }) => name)).toEqual(['Say', 'Count', 'Talk'])
  })
})
