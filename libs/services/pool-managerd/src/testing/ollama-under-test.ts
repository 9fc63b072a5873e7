import type {
  Residency,
  LoadProgress,
  ModelResidency,
  Operation,
  Pool,
  PoolManagerService,
} from '@berth/contract'
import type { Client } from '@berth/rpc'
import { readEntries } from './agent-process.ts'
import { chat, read, send, startTestAgent, type AgentUnderTest } from './agent-under-test.ts'
import { eventually } from './eventually.ts'
import { ollamaPool, type FakeOllama } from './fake-ollama.ts'

/** An agent with one pool `a` of a real daemon, seen through the doors of both. */
export interface OllamaUnderTest extends AsyncDisposable {
  readonly test: AgentUnderTest
  pool(): Promise<Pool>
  model(modelId: string): Promise<ModelResidency | undefined>
  /** Waits until the snapshot shows the model so. */
  reaches(modelId: string, residency: Residency): Promise<ModelResidency>
  load(modelRef: string, more?: object): Promise<Followed>
  unload(modelId: string, more?: object): Promise<Followed>
  ask(modelId: string, body?: object): Promise<Asked>
  /** Asks the daemon itself, past the agent. */
  daemon(path: string, body?: unknown): Promise<Record<string, unknown>>
  /** What the daemon itself says is in memory. */
  resident(): Promise<readonly string[]>
}

export interface Followed {
  readonly last: Operation
  /** What was shown on the way, the end included. */
  readonly loads: readonly LoadProgress[]
  readonly steps: readonly string[]
}

export interface Asked {
  readonly status: number | undefined
  readonly refusal: string | string[] | undefined
  /** The whole body; rejects when it breaks off. */
  readonly body: Promise<string>
}

/** Waits for the end of an operation. */
export const follow = async (
  client: Pick<Client<typeof PoolManagerService>, 'watchOperation'>,
  operation: Operation | undefined,
): Promise<Followed> => {
  const { operationId } = operation!
  const loads: LoadProgress[] = []
  let last = operation!
  for await (const seen of client.watchOperation({ operationId })) {
    last = seen.operation!
    if (last.load) loads.push(last.load)
  }
  return { last, loads, steps: last.steps.map(({ name }) => name) }
}

export const startOllama = async (
  natsUrl: string,
  ollama: FakeOllama,
  more: object = {},
): Promise<OllamaUnderTest> => {
  const test = await startTestAgent(natsUrl, [ollamaPool('a', ollama, more)])
  const { client, status } = test
  const pool = () => status('a')
  const model = async (modelId: string) =>
    (await pool()).models.find((one) => one.modelId === modelId)
  const daemon = async (path: string, body?: unknown) => {
    const [entry] = await readEntries(test.folder)
    const answer = await send(entry!.process!.port, path, body === undefined ? {} : { body })
    return JSON.parse(await read(answer)) as Record<string, unknown>
  }
  return {
    ...{ test, pool, model, daemon },
    reaches: (modelId, residency) =>
      eventually(`${modelId} has residency ${residency}`, async () => {
        const found = await model(modelId)
        return found?.residency === residency && found
      }),
    load: async (modelRef, also = {}) =>
      follow(client, (await client.loadModel({ poolId: 'a', modelRef, ...also })).operation),
    unload: async (modelId, also = {}) =>
      follow(client, (await client.unloadModel({ poolId: 'a', modelId, ...also })).operation),
    ask: async (modelId, body = {}) => {
      const answer = await test.post(
        '/v1/chat/completions',
        { ...chat({ max_tokens: 4, ...body }), model: modelId },
        { 'berth-lease': test.token('a', { modelId }), 'content-type': 'application/json' },
      )
      const whole = read(answer)
      // Who does not look at the body is not told how it ended.
      whole.catch(() => undefined)
      const refusal = answer.headers['berth-refusal']
      return { status: answer.statusCode, refusal, body: whole }
    },
    resident: async () =>
      ((await daemon('/api/ps')) as { models: { name: string }[] }).models.map(({ name }) => name),
    [Symbol.asyncDispose]: () => test[Symbol.asyncDispose](),
  }
}

/** A request that goes on until it is ended: the engine sends slowly. */
export const LONG = { max_tokens: 4_000, stream: true, ignore_eos: true }
