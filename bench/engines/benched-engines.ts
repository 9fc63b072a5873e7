import type { EngineSpec } from '@berth/supervision'
import {
  embeddedPool,
  findLlamaServer,
  llamacppPool,
  simPool,
  type PoolEntry,
} from '@berth/test-support'

/** An engine, as a driver plans it alone and as a pool of an agent. */
export interface BenchedEngine {
  readonly name: string
  readonly spec: EngineSpec
  pool(): Promise<PoolEntry>
}

const BASE = {
  ...{ mode: 'managed', modelId: 'berth-tiny', slots: 2, contextLength: 4_096, options: {} },
  shutdownGraceMs: 2_000,
} satisfies Omit<EngineSpec, 'engine'>
const STOPPING = { shutdown_grace_s: 2 }

const llamaServer = findLlamaServer()

/** Those of this machine. Their models are tiny: what is left is the cost of starting. */
export const BENCHED_ENGINES: readonly BenchedEngine[] = [
  {
    name: 'sim(vllm)',
    spec: { ...BASE, engine: 'sim', options: { dialect: 'vllm', tokens_per_s: 100 } },
    pool: () => simPool('pool', { model: 'berth-tiny', slots: 2, lifecycle: STOPPING }),
  },
  {
    name: 'embedded',
    spec: { ...BASE, engine: 'embedded' },
    pool: () => Promise.resolve(embeddedPool('pool', { lifecycle: STOPPING })),
  },
  ...(llamaServer === undefined
    ? []
    : [
        {
          name: 'llama-server',
          spec: { ...BASE, engine: 'llamacpp', binaryPath: llamaServer } as const,
          pool: () => Promise.resolve(llamacppPool(llamaServer, 'pool', { lifecycle: STOPPING })),
        },
      ]),
]
