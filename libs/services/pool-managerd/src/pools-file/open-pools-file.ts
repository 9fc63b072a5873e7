import { resolve } from 'node:path'
import { drivers } from '@berth/drivers'
import { BerthError } from '@berth/kernel'
import { fileStamp } from '@berth/runtime'
import type { Settings } from '../settings.ts'
import { loadPoolsFile, type KnownDevices, type LoadPoolsOptions } from './load-pools-file.ts'
import type { PoolSpec, PoolsFile } from './pool-spec.ts'

/** The pools file of an agent. */
export interface PoolsFileSource {
  readonly path: string
  /** As it was when the agent started, and its stamp then. */
  readonly first: PoolsFile
  readonly stamp: string
  /** As it is now, for the same host. Throws `CONFIG_INVALID` with everything that is wrong. */
  load(): PoolsFile
}

/** Reads the pools file with what the settings say of all pools. Throws `CONFIG_INVALID`. */
export const openPoolsFile = (
  settings: Pick<Settings, 'poolsFile' | 'hostId' | 'stopEnginesOnExit' | 'model'>,
  devices: KnownDevices,
  env: Readonly<Record<string, string | undefined>> = {},
): PoolsFileSource => {
  const path = resolve(settings.poolsFile)
  const read = () => {
    const file = loadPoolsFile({ path, drivers, devices, ...vllmModelOf(settings, env) })
    return { ...file, pools: file.pools.map((spec) => withExit(spec, settings.stopEnginesOnExit)) }
  }
  // Before the content: what is written meanwhile is read again.
  const stamp = fileStamp(path)
  const first = read()
  return {
    path,
    first,
    stamp,
    load: () => {
      const file = read()
      if (settings.hostId === undefined && file.hostId !== first.hostId)
        throw new BerthError(
          'CONFIG_INVALID',
          `The pools file ${path} has a problem:\n  host: this agent is ${first.hostId} while it runs: restart it to rename it`,
        )
      return file
    },
  }
}

/** `--model`, else the variable that vLLM's own users know, for a host of one vllm pool. */
const vllmModelOf = (
  { model }: Pick<Settings, 'model'>,
  { VLLM_MODEL: variable }: Readonly<Record<string, string | undefined>>,
): Pick<LoadPoolsOptions, 'vllmModel'> => {
  if (model !== undefined) return { vllmModel: { model, isDemanded: true } }
  return variable ? { vllmModel: { model: variable, isDemanded: false } } : {}
}

/** What the settings say of all engines wins over what a pool says of its own. */
const withExit = (spec: PoolSpec, stopsEngines: boolean | undefined): PoolSpec =>
  stopsEngines === undefined
    ? spec
    : { ...spec, outlivesAgent: !stopsEngines && spec.engine.mode === 'managed' }
