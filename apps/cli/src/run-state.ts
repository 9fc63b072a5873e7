import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Paths } from './paths.ts'

/** One process of a fleet. With the start time a pid names one life. */
export interface ProcessRecord {
  readonly name: string
  readonly pid: number
  /** Field 22 of `/proc/<pid>/stat`; empty where there is none. */
  readonly startTime: string
}

export interface FleetPorts {
  readonly gateway: number
  readonly nats: number
  readonly coreGrpc: number
  readonly coreHttp: number
  readonly agentGrpc: number
  readonly agentIngress: number
  readonly agentHttp: number
}

/** What `up` tells the other commands. */
export interface RunState {
  readonly version: 1
  readonly phase: 'starting' | 'ready' | 'stopping'
  readonly url: string
  readonly startedAtMs: number
  readonly supervisor: ProcessRecord
  readonly ports: FleetPorts
  readonly services: readonly ProcessRecord[]
}

const pathOf = (paths: Paths) => join(paths.runDir, 'state.json')

/** The last state written, or `undefined` where none was, or it is no longer readable. */
export const readRunState = (paths: Paths): RunState | undefined => {
  try {
    const state = JSON.parse(readFileSync(pathOf(paths), 'utf8')) as { readonly version: number }
    return state.version === 1 ? (state as RunState) : undefined
  } catch {
    // Absent, or cut short by a full disk: there is nothing to go by, the sweep finds the rest.
    return undefined
  }
}

/** Replaces the state at once, so that no reader sees half of it. Throws when the disk is full. */
export const writeRunState = (paths: Paths, state: RunState): void => {
  const scratch = `${pathOf(paths)}.${process.pid}`
  try {
    writeFileSync(scratch, `${JSON.stringify(state, null, 2)}\n`)
    renameSync(scratch, pathOf(paths))
  } catch (error) {
    rmSync(scratch, { force: true })
    throw error
  }
}

export const removeRunState = (paths: Paths): void => rmSync(pathOf(paths), { force: true })
