import { createHash } from 'node:crypto'
import type { PoolSpec } from '../pools-file/pool-spec.ts'

/**
 * Names all of a pool that its engine process was started with. While it is the same, a running
 * engine is what a new start would bring; probe intervals and the like may change meanwhile.
 */
export const hashOfSpec = ({ engine, modelPath, port, ...spec }: PoolSpec): string => {
  const { shutdownGraceMs: _, options, ...rest } = engine
  const named = Object.entries(options).sort(([a], [b]) => (a < b ? -1 : 1))
  // An index may name another GPU after a reboot; a budget decides what the engine was told.
  const devices = spec.deviceUuids ?? spec.devices
  const budget = spec.vramBudgetBytes === undefined ? {} : { budget: spec.vramBudgetBytes }
  const container = spec.container ? { container: spec.container } : {}
  const facts = Object.entries({
    ...rest,
    ...budget,
    ...container,
    devices,
    modelPath: modelPath ?? '',
    port,
  })
  facts.sort(([a], [b]) => (a < b ? -1 : 1))
  return createHash('sha256')
    .update(JSON.stringify([facts, named]))
    .digest('hex')
}
