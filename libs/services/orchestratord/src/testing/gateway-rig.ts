import { createScope, createSilentLogger, systemClock, systemRng } from '@berth/runtime'
import { gatewayConfigSchema, type GatewayConfig } from '../config.ts'
import { startOrchestratord } from '../service.ts'
import { until } from './until.ts'

/** A real gateway on a free port, with a session unless `isWithoutCore`. */
export const startGateway = async (
  coreAddresses: readonly string[],
  settings: Partial<GatewayConfig> & { readonly isWithoutCore?: boolean } = {},
) => {
  const { isWithoutCore, ...overrides } = settings
  const config = gatewayConfigSchema.parse({
    coreAddresses,
    httpPort: 0,
    drainTimeoutMs: 500,
    ...overrides,
  })
  const scope = createScope()
  const { httpPort } = await startOrchestratord(scope, {
    config,
    clock: systemClock(),
    rng: systemRng(),
    log: createSilentLogger(),
  }).catch(async (error: unknown) => {
    await scope[Symbol.asyncDispose]()
    throw error
  })
  const url = `http://127.0.0.1:${httpPort}`
  if (!isWithoutCore)
    await until('the gateway has a session', async () => (await fetch(`${url}/readyz`)).ok)
  return {
    url,
    port: httpPort,
    post: (path: string, body: unknown, init: RequestInit = {}) =>
      fetch(url + path, {
        method: 'POST',
        body: typeof body === 'string' ? body : JSON.stringify(body),
        ...init,
        headers: { 'Content-Type': 'application/json', ...init.headers },
      }),
    [Symbol.asyncDispose]: () => scope[Symbol.asyncDispose](),
  }
}

export const CHAT = '/v1/chat/completions'
export const chat = (facts: Record<string, unknown> = {}) => ({
  model: 'm',
  messages: [{ role: 'user', content: 'Hi' }],
  ...facts,
})
