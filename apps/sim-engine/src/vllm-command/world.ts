import { readFileSync } from 'node:fs'

/** A model at the Hub. */
export interface HubModel {
  /** Default: everybody may read it. */
  readonly access?: 'public' | 'private' | 'gated'
  /** Who may read it otherwise. */
  readonly tokens?: readonly string[]
  readonly architecture?: string
  /** It brings code of its own. */
  readonly hasCode?: boolean
  /** Default: 40960. */
  readonly maxLength?: number
}

/** What this vLLM finds around it: a test writes it beside the program. */
export interface World {
  /** Default: 0.13.0. */
  readonly version?: string
  readonly hub?: Readonly<Record<string, HubModel>>
  /** Knobs of the simulator for what comes after the start, in snake case. */
  readonly knobs?: Readonly<Record<string, unknown>>
  /** Printed at the end of the load, and then it ends with exit code 1. */
  readonly lastWords?: readonly string[]
  /** A Python without vLLM. */
  readonly lacksVllm?: boolean
}

/** Throws for a file that holds no JSON. */
export const readWorld = (path: string): World => JSON.parse(readFileSync(path, 'utf8')) as World
