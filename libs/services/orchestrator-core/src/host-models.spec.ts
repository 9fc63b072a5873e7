import { create, type MessageInitShape } from '@bufbuild/protobuf'
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import {
  CommandHostRequestSchema,
  FleetServiceFitModelRequestSchema,
  OperationType,
  PoolManagerService,
} from '@berth/contract'
import { BerthError } from '@berth/kernel'
import { implement, serveRpc, type CallContext, type Handlers } from '@berth/rpc'
import { createSilentLogger } from '@berth/runtime'
import { createAgentClients } from './agent-clients.ts'
import { createHostModels } from './host-models.ts'
import { createRig, pool } from './testing/rig.ts'

const log = createSilentLogger()
const { signal } = new AbortController()
const CONTEXT: CallContext = { correlationId: 'c', signal, deadlineMs: undefined, log, peer: '' }

let ends: AsyncDisposableStack
beforeEach(() => {
  ends = new AsyncDisposableStack()
})
afterEach(() => ends.disposeAsync())

type Agent = Partial<Handlers<typeof PoolManagerService>>

/** Nothing listens there. */
const GONE = '127.0.0.1:1'

/** A core that knows of hosts `h1`, `h2` ... with one pool each, behind real gRPC; `null` is gone. */
const startHosts = async (...agents: readonly (Agent | null)[]) => {
  const rig = createRig()
  for (const [n, agent] of agents.entries()) {
    const grpcAddress = agent === null ? GONE : await serveAgent(agent)
    rig.joinHost(`h${n + 1}`, [pool(`p${n + 1}`)], { grpcAddress })
  }
  return createHostModels(rig.coordinator.core, ends.use(createAgentClients()))
}

const serveAgent = async (agent: Agent): Promise<string> => {
  const refuse = () => {
    throw new BerthError('UNSUPPORTED_OPERATION', 'Not asked here.')
  }
  const every = Object.fromEntries(
    PoolManagerService.methods.map(({ localName }) => [localName, refuse]),
  ) as unknown as Handlers<typeof PoolManagerService>
  const services = [implement(PoolManagerService, { ...every, ...agent })]
  const where = { host: '127.0.0.1', port: 0 }
  const server = ends.use(await serveRpc({ ...where, services, log, drainTimeoutMs: 0 }))
  return `127.0.0.1:${server.port}`
}

const files = (modelRef: string): Agent => ({
  listModelFiles: async () => ({ models: [{ modelRef }], disk: { root: '/m', freeBytes: 9n } }),
})
const command = (
  hostId: string,
  what: MessageInitShape<typeof CommandHostRequestSchema>['command'],
) =>
  create(CommandHostRequestSchema, { hostId, idempotencyKey: 'k', ...(what && { command: what }) })
const pull = (hostId: string) =>
  command(hostId, { case: 'pull', value: { modelRef: 'hf:o/n', digest: 'sha256:x' } })

describe('the model files of a fleet', () => {
  it('are those of all hosts; hosts that do not answer are named', async () => {
    const models = await startHosts(files('a'), null, files('c'))
    const { hosts, silentHosts } = await models.list('', CONTEXT)
    expect(hosts).toMatchObject([
      { hostId: 'h1', models: [{ modelRef: 'a' }], disk: { freeBytes: 9n } },
      { hostId: 'h3', models: [{ modelRef: 'c' }] },
    ])
    expect(silentHosts).toEqual(['h2'])
  })

  it('of one host are asked of it alone, which must be there and answer', async () => {
    const models = await startHosts(files('a'), null)
    expect((await models.list('h1', CONTEXT)).hosts).toMatchObject([{ hostId: 'h1' }])
    await expect(models.list('h2', CONTEXT)).rejects.toMatchObject({ reason: 'POOL_UNAVAILABLE' })
    await expect(models.list('h3', CONTEXT)).rejects.toMatchObject({
      ...{ reason: 'HOST_NOT_FOUND', message: 'There is no host "h3". There are: h1, h2.' },
    })
  })
})

describe('a command about model files', () => {
  it('goes to the host under the term of the leader, with its key', async () => {
    const asked: unknown[] = []
    const models = await startHosts({
      pullModel: async ({ header, modelRef, digest }) => {
        asked.push({ term: header?.term, key: header?.idempotencyKey, modelRef, digest })
        return { operation: { operationId: 'o1', type: OperationType.PULL } }
      },
    })
    expect(await models.command(pull('h1'), CONTEXT)).toMatchObject({
      ...{ hostId: 'h1', operation: { hostId: 'h1', operation: { operationId: 'o1' } } },
    })
    expect(asked).toEqual([{ term: 1n, key: 'k', modelRef: 'hf:o/n', digest: 'sha256:x' }])
  })

  it('needs no host where there is one, and names them where there are more', async () => {
    const remove = { case: 'remove' as const, value: { modelRef: 'm' } }
    const agent: Agent = { removeModel: async () => ({ freedBytes: 5n }) }
    const one = await startHosts(agent)
    expect(await one.command(command('', remove), CONTEXT)).toEqual({
      ...{ hostId: 'h1', freedBytes: 5n },
    })
    const two = await startHosts(agent, agent)
    const ask = async () => two.command(command('', remove), CONTEXT)
    await expect(ask()).rejects.toMatchObject({
      ...{ reason: 'INVALID_PARAMS', message: 'Which host is meant? There are: h1, h2.' },
    })
  })

  it('comes back with what the agent refuses, and why', async () => {
    const models = await startHosts({
      pullModel: async () => {
        throw new BerthError('INSUFFICIENT_DISK', 'No room.', { facts: { free_bytes: 5 } })
      },
    })
    await expect(models.command(pull('h1'), CONTEXT)).rejects.toMatchObject({
      ...{ reason: 'INSUFFICIENT_DISK', message: 'No room.', facts: { free_bytes: 5 } },
    })
  })
})

describe('the fit of a model', () => {
  const fits: Agent = {
    fitModel: async ({ modelRef, poolId }) => ({ modelId: `${modelRef} in ${poolId}`, fits: true }),
  }
  const cannot: Agent = {
    fitModel: async () => {
      throw new BerthError('UNSUPPORTED_OPERATION', 'It is external.')
    },
  }

  it('is that of every pool; one that cannot say tells why, a host that is silent is named', async () => {
    const models = await startHosts(fits, cannot, null)
    const answer = await models.fit(
      create(FleetServiceFitModelRequestSchema, { modelRef: 'm' }),
      CONTEXT,
    )
    expect(answer).toMatchObject({
      fits: [
        { hostId: 'h1', poolId: 'p1', fit: { modelId: 'm in p1', fits: true } },
        { hostId: 'h2', poolId: 'p2', reason: 'It is external.' },
      ],
      silentHosts: ['h3'],
    })
    expect(answer.fits![1]).not.toHaveProperty('fit')
  })

  it('of one pool is asked of its agent alone, and fails as that does', async () => {
    const models = await startHosts(fits, cannot)
    const fitIn = (poolId: string) =>
      models.fit(create(FleetServiceFitModelRequestSchema, { modelRef: 'm', poolId }), CONTEXT)
    expect((await fitIn('p1')).fits).toMatchObject([{ poolId: 'p1', fit: { fits: true } }])
    await expect(fitIn('p2')).rejects.toMatchObject({ reason: 'UNSUPPORTED_OPERATION' })
    await expect(fitIn('p9')).rejects.toMatchObject({ reason: 'POOL_NOT_FOUND' })
  })
})
