import {
  create,
  fromBinary,
  toBinary,
  type DescMessage,
  type DescMethodUnary,
  type MessageInitShape,
  type MessageShape,
} from '@bufbuild/protobuf'
import { BerthError, randomUuid, type Facts, type Reason, type Rng } from '@berth/kernel'
import type { CallContext, RpcLog, RpcService } from '@berth/rpc'
import type { SimProcess } from './sim-process.ts'
import type { SimSocket, SimSockets } from './sim-sockets.ts'

const OK = 0
const FAILED = 1
const NAME_END = 0x0a

interface UnaryCall<I extends DescMessage, O extends DescMessage> {
  readonly address: string
  readonly method: DescMethodUnary<I, O>
  readonly request: MessageInitShape<I>
  readonly deadlineMs: number
  readonly signal: AbortSignal
}

/** One unary call over a connection of its own. Rejects with the callee's `BerthError`. */
export const callUnary = <I extends DescMessage, O extends DescMessage>(
  sockets: SimSockets,
  process: SimProcess,
  { address, method, request, deadlineMs, signal }: UnaryCall<I, O>,
): Promise<MessageShape<O>> =>
  new Promise((resolve, reject) => {
    const end = (settle: () => void) => {
      stopDeadline()
      signal.removeEventListener('abort', onAbort)
      socket.close()
      settle()
    }
    const fail = (reason: Reason, message: string) =>
      end(() => reject(new BerthError(reason, message)))
    const onAbort = () => fail('CANCELLED', 'The caller went away.')
    const socket: SimSocket = sockets.connect(process, address, {
      onBytes: (bytes) => {
        const body = bytes.subarray(1)
        if (bytes[0] === OK) return end(() => resolve(fromBinary(method.output, body)))
        end(() => reject(readError(body)))
      },
      onClosed: () => fail('RPC_UNAVAILABLE', `${address} does not answer.`),
    })
    const stopDeadline = process.clock.after(deadlineMs, () =>
      fail('RPC_DEADLINE', `${address} did not answer within ${deadlineMs} ms.`),
    )
    signal.addEventListener('abort', onAbort, { once: true })
    const name = new TextEncoder().encode(`${method.localName}\n`)
    const body = toBinary(method.input, create(method.input, request))
    socket.send(Buffer.concat([name, body]))
    if (signal.aborted) onAbort()
  })

/** Serves the unary methods of a service at an address, with the handlers the real server calls. */
export const serveUnary = (
  sockets: SimSockets,
  process: SimProcess,
  { address, service, log, rng }: UnaryServer,
): Disposable =>
  sockets.listen(process, address, (socket) => {
    const left = new AbortController()
    const context: CallContext = {
      correlationId: randomUuid(rng),
      signal: left.signal,
      deadlineMs: undefined,
      log,
      peer: socket.peer,
    }
    const answer = (kind: number, body: Uint8Array) => {
      socket.send(Buffer.concat([Uint8Array.of(kind), body]))
      socket.close()
    }
    return {
      onBytes: (bytes) =>
        void handle(service, bytes, context).then(
          (body) => answer(OK, body),
          (error: unknown) => answer(FAILED, writeError(BerthError.from(error))),
        ),
      onClosed: () => left.abort(),
    }
  })

interface UnaryServer {
  readonly address: string
  readonly service: RpcService
  readonly log: RpcLog
  readonly rng: Rng
}

const handle = async (
  { service, handlers }: RpcService,
  bytes: Uint8Array,
  context: CallContext,
): Promise<Uint8Array> => {
  const end = bytes.indexOf(NAME_END)
  const name = new TextDecoder().decode(bytes.subarray(0, end))
  const method = service.methods.find(({ localName }) => localName === name)
  const handler = handlers.get(name)
  if (!method || !handler) throw new BerthError('RPC_FAILED', `There is no method ${name}.`)
  const answer = await handler(fromBinary(method.input, bytes.subarray(end + 1)), context)
  return toBinary(
    method.output,
    create(method.output, answer as MessageInitShape<typeof method.output>),
  )
}

const writeError = ({ reason, message, facts }: BerthError) =>
  new TextEncoder().encode(JSON.stringify({ reason, message, facts }))

const readError = (bytes: Uint8Array): BerthError => {
  const told = JSON.parse(new TextDecoder().decode(bytes)) as {
    readonly reason: Reason
    readonly message: string
    readonly facts: Facts
  }
  return new BerthError(told.reason, told.message, { facts: told.facts })
}
