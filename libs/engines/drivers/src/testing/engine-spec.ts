import type { EngineSpec, LaunchGrant, ProbeResponse } from '@berth/supervision'

/** A managed pool of `engine` with two slots; `more` overrides. */
export const engineSpec = (
  engine: EngineSpec['engine'],
  more: Partial<EngineSpec> = {},
): EngineSpec => ({
  engine,
  mode: 'managed',
  modelId: 'm1',
  slots: 2,
  contextLength: 4096,
  options: {},
  shutdownGraceMs: 10_000,
  ...more,
})

export const grant: LaunchGrant = {
  host: '127.0.0.1',
  port: 4100,
  devices: ['cpu'],
  modelPath: '/models/m1.gguf',
  nodePath: '/opt/node',
  enginesDir: '/opt/berth',
  embeddedRuntimeDir: '/var/berth/runtime',
  apiKey: 'minted',
}

export const answered = (body: string, status = 200, tookMs = 5): ProbeResponse => ({
  kind: 'answer',
  status,
  body,
  tookMs,
})

export const modelsBody = (...ids: readonly string[]): string =>
  JSON.stringify({ object: 'list', data: ids.map((id) => ({ id, object: 'model' })) })
