import { afterAll, beforeAll, expect, it, jest } from '@jest/globals'
import { startNatsServer, type NatsServer } from '@berth/bus/testing'
import { OperationStatus, Residency } from '@berth/contract'
import { startTestAgent } from './testing/agent-under-test.ts'
import { eventually } from './testing/eventually.ts'
import { makeFakeGpuTools, gpuTable } from './testing/fake-gpu-tools.ts'
import { makeFakeOllama, ollamaPool } from './testing/fake-ollama.ts'
import { follow } from './testing/ollama-under-test.ts'

// Real processes on a machine that may be busy.
jest.setTimeout(60_000)

let nats: NatsServer
beforeAll(async () => {
  nats = await startNatsServer({ jetstream: true })
})
afterAll(async () => {
  await nats[Symbol.asyncDispose]()
})

const free = (mib: number) => gpuTable({ 'memory.free': `${mib} MiB` })

it('[000-T026] an engine tells what a model takes, its GPU what there is and when it is free again', async () => {
  await using ollama = await makeFakeOllama({ models: ['m1'], vram_bytes: 4 * 1024 ** 3 })
  await using gpu = await makeFakeGpuTools()
  await gpu.set('gpus.csv', free(16_000))
  const pools = [ollamaPool('a', ollama, { model: 'm1', devices: [0] })]
  await using test = await startTestAgent(nats.url, pools, {}, gpu.env)
  await eventually('m1 is resident', async () => {
    const [model] = (await test.status('a')).models
    return model?.residency === Residency.RESIDENT
  })
  expect(await test.status('a')).toMatchObject({
    vramTotalBytes: 23_034n * 1_048_576n,
    models: [{ modelId: 'm1', gpuBytes: 4n * 1024n ** 3n }],
  })
  await gpu.set('gpus.csv', free(12_000))
  const { operation } = await test.client.unloadModel({ poolId: 'a', modelId: 'm1' })
  await eventually('the daemon has let go of it', async () => {
    const [model] = (await test.status('a')).models
    return model?.residency === Residency.UNLOADING
  })
  const looks = (await gpu.calls()).length
  await eventually('it is looked at again', async () => (await gpu.calls()).length > looks + 2)
  const { operations } = await test.client.listOperations({ poolId: 'a' })
  expect(operations[0]).toMatchObject({ status: OperationStatus.IN_PROGRESS, step: 'unload' })
  await gpu.set('gpus.csv', free(16_000))
  expect((await follow(test.client, operation)).last.status).toBe(OperationStatus.COMPLETED)
})
