import type { EngineDriver, EngineName } from '@berth/supervision'
import { embeddedDriver } from './embedded-driver.ts'
import { openAiDriver } from './openai-driver.ts'
import { simDriver } from './sim-driver.ts'

/** Every engine this build can run. One file each; an engine without an entry is refused. */
export const drivers: Readonly<Partial<Record<EngineName, EngineDriver>>> = {
  embedded: embeddedDriver,
  openai: openAiDriver,
  sim: simDriver,
}

/** The driver of an engine, or undefined when this build has none. */
export const driverOf = (engine: string): EngineDriver | undefined =>
  Object.hasOwn(drivers, engine) ? drivers[engine as EngineName] : undefined
