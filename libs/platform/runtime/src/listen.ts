import type { AddressInfo, Server } from 'node:net'
import { BerthError, messageOf } from '@berth/kernel'
import { findPortHolder } from './port-holder.ts'

/** Where to listen, and the words for an error when that fails. */
export interface ListenOptions {
  readonly host: string
  /** 0 lets the system choose. */
  readonly port: number
  /** What is to be served there, for the error: `ingress`, `HTTP server`. */
  readonly what: string
  /** The setting that moves the port, as in the YAML file: `http_port`. */
  readonly setting?: string
}

/**
 * Binds a server and resolves with its port. A taken port is `PORT_IN_USE` with the process that
 * holds it and the setting to change; any other refusal is `CONFIG_INVALID`.
 */
export const listen = (server: Server, options: ListenOptions): Promise<number> =>
  new Promise((resolve, reject) => {
    const onError = (error: Error) => reject(listenError(error, options))
    server.once('error', onError)
    server.listen({ host: options.host, port: options.port }, () => {
      server.off('error', onError)
      resolve((server.address() as AddressInfo).port)
    })
  })

/** The error for a failed bind, for servers that are no `net.Server` (gRPC) too. */
export const listenError = (error: unknown, options: ListenOptions): BerthError => {
  const { host, port, what, setting } = options
  const where = `${what} cannot listen on ${host}:${port}`
  const change = setting === undefined ? 'choose another port' : `set ${namesOf(setting)}`
  if (!/EADDRINUSE|address already in use/i.test(messageOf(error)))
    return new BerthError('CONFIG_INVALID', `${where}: ${messageOf(error)}`, { cause: error })
  const holder = findPortHolder(port)
  const by = holder ? `process ${holder.pid} (${holder.command}) holds it` : 'it is in use'
  return new BerthError('PORT_IN_USE', `${where}: ${by}. Stop that process, or ${change}.`, {
    cause: error,
    facts: { port, ...(holder ? { holder_pid: holder.pid, holder_command: holder.command } : {}) },
  })
}

const namesOf = (setting: string) =>
  `--${setting.replaceAll('_', '-')} (BERTH_${setting.toUpperCase()}) to a free one`
