import { BerthError } from '@berth/kernel'
import { z } from 'zod'
import type { BusCredentials } from './connection-options.ts'

/** The settings of a service that connects to NATS, to be spread in its schema. */
export const natsConfigShape = {
  natsUrl: z.string().min(1).default('nats://127.0.0.1:4222').describe('Where NATS is.'),
  natsUser: z.string().min(1).optional().describe('Who connects to NATS. Only with a password.'),
  natsPassword: z.string().min(1).optional().describe('Secret. Only with a user.'),
}

interface NatsConfig {
  readonly natsUrl: string
  readonly natsUser?: string | undefined
  readonly natsPassword?: string | undefined
}

/**
 * Where NATS is and, when it is set, the proof of who connects: for `connectBus`. Throws
 * `CONFIG_INVALID` for half a proof.
 */
export const natsAccess = (
  config: NatsConfig,
): { readonly url: string; readonly credentials?: BusCredentials } => {
  const { natsUrl: url, natsUser: user, natsPassword: password } = config
  if (user && password) return { url, credentials: { user, password } }
  if (!user && !password) return { url }
  const [has, lacks] = user ? ['user', 'password'] : ['password', 'user']
  throw new BerthError('CONFIG_INVALID', `nats_${has} is set and nats_${lacks} is not: set both.`)
}
