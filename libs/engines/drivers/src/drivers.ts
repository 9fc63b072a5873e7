import type { EngineDriver, EngineName } from '@berth/supervision'
import { embeddedDriver } from './embedded-driver.ts'
import { llamacppDriver } from './llamacpp-driver.ts'
import { ollamaDriver } from './ollama-driver.ts'
import { openAiDriver } from './openai-driver.ts'
import { simDriver } from './sim-driver.ts'
import { vllmDriver } from './vllm-driver.ts'

/** Every engine this build can run. One file each; an engine without an entry is refused. */
export const drivers: Readonly<Partial<Record<EngineName, EngineDriver>>> = {
  embedded: embeddedDriver,
  llamacpp: llamacppDriver,
  ollama: ollamaDriver,
  openai: openAiDriver,
  sim: simDriver,
  vllm: vllmDriver,
}

/** The driver of an engine, or undefined when this build has none. */
export const driverOf = (engine: string): EngineDriver | undefined =>
  Object.hasOwn(drivers, engine) ? drivers[engine as EngineName] : undefined
