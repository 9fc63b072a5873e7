import { createServer, type AddressInfo, type Server } from 'node:net'
import { findPortHolder } from '@berth/runtime'
import { CliError } from './cli-error.ts'
import { EXIT } from './exit-code.ts'
import type { FleetPorts } from './run-state.ts'

const HOST = '127.0.0.1'
const CHOSEN = [
  'nats',
  'coreGrpc',
  'coreHttp',
  'agentGrpc',
  'agentIngress',
  'agentHttp',
] as const satisfies readonly (keyof FleetPorts)[]

/**
 * The ports of a fleet: the gateway's as asked for, the others free ones of the system's choice.
 * All are held at once while choosing, so no two are the same. A taken gateway port is a
 * `CliError` that names its holder.
 */
export const choosePorts = async (gatewayPort: number): Promise<FleetPorts> => {
  const servers: Server[] = []
  const bind = async (port: number) => {
    const server = createServer()
    const bound = await listenOn(server, port)
    servers.push(server)
    return bound
  }
  try {
    const gateway = await bind(gatewayPort)
    const others: [string, number][] = []
    for (const name of CHOSEN) others.push([name, await bind(0)])
    return { gateway, ...(Object.fromEntries(others) as Omit<FleetPorts, 'gateway'>) }
  } finally {
    await Promise.all(servers.map((server) => new Promise((done) => server.close(done))))
  }
}

const listenOn = (server: Server, port: number): Promise<number> =>
  new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => reject(explain(error, port)))
    server.listen({ host: HOST, port, exclusive: true }, () =>
      resolve((server.address() as AddressInfo).port),
    )
  })

const explain = (error: NodeJS.ErrnoException, port: number): Error => {
  if (error.code === 'EADDRINUSE') {
    const holder = findPortHolder(port)
    const by = holder ? `process ${holder.pid} (${holder.command})` : 'another process'
    return new CliError(
      EXIT.failed,
      `Port ${port} is taken: ${by} holds it.`,
      'Stop that process, or choose another port: ./berth up --port 8081 (0 takes a free one).',
    )
  }
  if (error.code === 'EACCES')
    return new CliError(
      EXIT.failed,
      `Port ${port} needs more rights than you have.`,
      'Choose one above 1023: ./berth up --port 8080.',
    )
  return error
}
