// A process of its own, to be frozen by a spec. `node main.ts serve` serves and prints its
// port; `node main.ts talk host:port` holds a stream open and prints `talking`.
import { argv, stdout } from 'node:process'
import { createClient } from '../../client.ts'
import { startEchoFleet } from '../echo-fleet.ts'
import { EchoService } from '../gen/echo_pb.ts'

const [, , role, address = ''] = argv

if (role === 'serve') {
  const { server } = await startEchoFleet()
  stdout.write(`${server.port}\n`)
} else {
  const client = createClient(EchoService, { address, defaultDeadlineMs: 10_000 })
  const stream = client.talk()
  stream.send({ text: 'hello' })
  for await (const _ of stream.messages) stdout.write('talking\n')
}
