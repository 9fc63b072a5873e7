import { create, type MessageInitShape } from '@bufbuild/protobuf'
import {
  CatalogService,
  FleetService,
  SchedulerService,
  ServerFrameSchema,
  SessionResponseSchema,
  type Acquire,
  type AssignedSchema,
  type ClientFrame,
  type CommandHostRequest,
  type CommandHostResponseSchema,
  type CommandPoolRequest,
  type EndSessionRequest,
  type ExplainResponseSchema,
  type FleetModelSchema,
  type FleetPoolSchema,
  type FleetServiceFitModelRequest,
  type FleetServiceFitModelResponseSchema,
  type FleetServiceListModelFilesResponseSchema,
  type GetSessionResponseSchema,
  type GetDecisionResponseSchema,
  type Hello,
  type Job,
  type PoolOperationSchema,
  type Release,
  type SessionRequest,
  type SessionResponse,
  type TailPoolLogRequest,
  type TailPoolLogResponseSchema,
} from '@berth/contract'
import { BerthError } from '@berth/kernel'
import { implement, serveRpc, type BidiStream, type Handlers, type RpcService } from '@berth/rpc'
import { createSilentLogger } from '@berth/runtime'

type Frame = MessageInitShape<typeof ServerFrameSchema>['frame']

/** What core may say of a lease beside where it is. */
export type Granted = MessageInitShape<typeof AssignedSchema>

/** What a script may do with the session an `Acquire` came on. */
export interface ScriptedSession {
  send(...frames: Frame[]): void
  /** Grants the job a lease `lease-<n>` on a pool behind `ingress`. */
  assign(acquire: Acquire, ingress: string, poolId?: string, more?: Granted): string
}

export interface CoreScript {
  onAcquire(acquire: Acquire, session: ScriptedSession): void
  /** Default: welcomes with term 1. */
  onHello?(hello: Hello): Frame
  readonly models?: readonly MessageInitShape<typeof FleetModelSchema>[]
  readonly pools?: readonly MessageInitShape<typeof FleetPoolSchema>[]
  /** Of `tenant`; others have none. */
  readonly sessions?: readonly MessageInitShape<typeof GetSessionResponseSchema>[]
  readonly tenant?: string
  readonly port?: number
  /** Throws what core would. */
  onCommand?(request: CommandPoolRequest): MessageInitShape<typeof PoolOperationSchema>
  /** Throws what core would. */
  onCommandHost?(request: CommandHostRequest): MessageInitShape<typeof CommandHostResponseSchema>
  onListModelFiles?(
    hostId: string,
  ): MessageInitShape<typeof FleetServiceListModelFilesResponseSchema>
  onFitModel?(
    request: FleetServiceFitModelRequest,
  ): MessageInitShape<typeof FleetServiceFitModelResponseSchema>
  /** Throws what core would for those that are missing. */
  readonly catalog?: Partial<Handlers<typeof CatalogService>>
  readonly operations?: readonly MessageInitShape<typeof PoolOperationSchema>[]
  onTailLog?(
    request: TailPoolLogRequest,
    signal: AbortSignal,
  ): AsyncIterable<MessageInitShape<typeof TailPoolLogResponseSchema>>
  onExplain?(job: Job | undefined): MessageInitShape<typeof ExplainResponseSchema>
  /** Throws `DECISION_NOT_FOUND` for what core does not remember. */
  onGetDecision?(id: string): MessageInitShape<typeof GetDecisionResponseSchema>
}

/** A real gRPC server that plays core by a script and keeps all it was told. */
export const startScriptedCore = async (script: CoreScript) => {
  const messages: SessionRequest[] = []
  const ended: EndSessionRequest[] = []
  const streams = new Set<
    BidiStream<SessionRequest, MessageInitShape<typeof SessionResponseSchema>>
  >()
  const state = { isSilent: false, leases: 0, term: 1n }

  const play = (
    stream: BidiStream<SessionRequest, MessageInitShape<typeof SessionResponseSchema>>,
    message: SessionRequest,
  ) => {
    const send = (...out: Frame[]) => {
      if (!state.isSilent) stream.send(response(out))
    }
    const assign: ScriptedSession['assign'] = (
      { jobId },
      ingressAddress,
      poolId = 'pool-a',
      more = {},
    ) => {
      const leaseId = `lease-${++state.leases}`
      const where = { poolId, ingressAddress, instanceId: `${poolId}-1`, queuedMs: 7 }
      const token = `token-${leaseId}`
      const value = { ...more, jobId, leaseId, term: state.term, token, ...where }
      send({ case: 'assigned', value })
      return leaseId
    }
    for (const { frame } of message.frames) {
      if (frame.case === 'hello') send(greet(state, script.onHello?.(frame.value)))
      if (frame.case === 'heartbeat') send({ case: 'heartbeat', value: {} })
      if (frame.case === 'acquire') script.onAcquire(frame.value, { send, assign })
    }
  }
  const scheduler = implement(SchedulerService, {
    session: async (stream) => {
      streams.add(stream)
      try {
        for await (const message of stream.messages) {
          messages.push(message)
          play(stream, message)
        }
      } finally {
        streams.delete(stream)
      }
    },
    ...unaryOf(script, ended),
  })
  const server = await serve(scheduler, script)
  return {
    port: server.port,
    address: `127.0.0.1:${server.port}`,
    messages,
    /** The sessions it was asked to forget. */
    ended,
    ...told(messages),
    /** Breaks every session as a crash would. */
    breakSessions: () => {
      for (const stream of streams) stream.destroy(new BerthError('INTERNAL', 'core crashed'))
    },
    /** Says nothing any more, as a frozen core. */
    freeze: () => {
      state.isSilent = true
    },
    sendAll: (...out: Frame[]) => {
      for (const stream of streams) stream.send(response(out))
    },
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  }
}

const serve = (scheduler: RpcService, script: CoreScript) =>
  serveRpc({
    host: '127.0.0.1',
    port: script.port ?? 0,
    services: [scheduler, fleetOf(script), catalogOf(script)],
    log: createSilentLogger(),
    drainTimeoutMs: 0,
  })

/** The calls beside the session. */
const unaryOf = (
  script: CoreScript,
  ended: EndSessionRequest[],
): Omit<Handlers<typeof SchedulerService>, 'session'> => ({
  explain: async ({ job }) => script.onExplain?.(job) ?? {},
  getDecision: async ({ jobId }) => script.onGetDecision?.(jobId) ?? {},
  getSession: async (request) => {
    const session = script.sessions?.find(({ sessionId }) => sessionId === request.sessionId)
    if (session && request.tenant === script.tenant) return session
    throw new BerthError('SESSION_NOT_FOUND', `There is no session ${request.sessionId}.`)
  },
  endSession: async (request) => {
    ended.push(request)
    return {}
  },
})

export type ScriptedCore = Awaited<ReturnType<typeof startScriptedCore>>

/** Leases are granted under the term of the last welcome. */
const greet = (state: { term: bigint }, answer: Frame = welcome(1n)): Frame => {
  if (answer?.case === 'welcome') state.term = BigInt(answer.value.term ?? 0)
  return answer
}

/** The answer of a leader to Hello. */
export const welcome = (term: bigint): Frame => ({
  case: 'welcome',
  value: { term, leaderId: 'core-test', leaseTtlMs: 15_000 },
})

const response = (frames: readonly Frame[]): SessionResponse =>
  create(SessionResponseSchema, {
    frames: frames.map((frame) => create(ServerFrameSchema, frame === undefined ? {} : { frame })),
  })

/** What the gateway has told so far, by kind. */
const told = (messages: readonly SessionRequest[]) => {
  const of = <C extends NonNullable<ClientFrame['frame']['case']>>(wanted: C) =>
    messages
      .flatMap(({ frames }) => frames)
      .flatMap(({ frame }) => (frame.case === wanted ? [frame.value] : [])) as Extract<
      ClientFrame['frame'],
      { case: C }
    >['value'][]
  return {
    acquires: (): Acquire[] => of('acquire'),
    releases: (): Release[] => of('release'),
    cancels: () => of('cancel'),
    hellos: (): Hello[] => of('hello'),
  }
}

const catalogOf = ({ catalog }: CoreScript) => {
  const refuse = async () => {
    throw new BerthError('MODEL_NOT_FOUND', 'The catalog has no such model.')
  }
  return implement(CatalogService, {
    putCatalogModel: refuse,
    listCatalogModels: async () => ({}),
    removeCatalogModel: refuse,
    verifyCatalogModel: refuse,
    setCatalogModelState: refuse,
    ...catalog,
  })
}

async function* noLines() {}

const operationOf = ({ operations = [] }: CoreScript, id: string) => {
  const known = operations.find(({ operation }) => operation?.operationId === id)
  if (known) return known
  throw new BerthError('OPERATION_NOT_FOUND', `No agent knows an operation ${id}.`)
}

const fleetOf = (script: CoreScript) =>
  implement(FleetService, {
    listPools: async () => ({ pools: [...(script.pools ?? [])] }),
    getPool: async ({ poolId }) => {
      const pool = script.pools?.find((candidate) => candidate.pool?.poolId === poolId)
      if (!pool) throw new BerthError('POOL_NOT_FOUND', `There is no pool ${poolId}.`)
      return { pool }
    },
    listHosts: async () => ({ hosts: [{ hostId: 'host-a', poolIds: ['pool-a'] }] }),
    listModels: async () => ({ models: [...(script.models ?? [])] }),
    getFleetStatus: async () => ({ isBusConnected: true }),
    commandPool: async (request) => ({ operation: script.onCommand?.(request) ?? {} }),
    listPoolOperations: async () => ({ operations: [...(script.operations ?? [])] }),
    getPoolOperation: async ({ operationId }) => ({ operation: operationOf(script, operationId) }),
    watchPoolOperation: async function* ({ operationId }) {
      yield { operation: operationOf(script, operationId) }
    },
    tailPoolLog: (request, { signal }) => script.onTailLog?.(request, signal) ?? noLines(),
    listModelFiles: async ({ hostId }) => script.onListModelFiles?.(hostId) ?? {},
    commandHost: async (request) => script.onCommandHost?.(request) ?? {},
    fitModel: async (request) => script.onFitModel?.(request) ?? {},
  })
