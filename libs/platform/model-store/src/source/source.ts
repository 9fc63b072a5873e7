import type { Clock } from '@berth/kernel'
import type { HttpGet } from '../egress/http-get.ts'
import type { HostRule } from '../egress/host-rules.ts'
import type { EnsureOptions } from '../model-store.ts'

/** User and password of a registry. */
export interface RegistryCredentials {
  readonly username: string
  readonly password: string
}

/** What sources work with. */
export interface SourceDeps {
  readonly get: HttpGet
  readonly rules: readonly HostRule[]
  readonly clock: Clock
  readonly silenceMs: number
  /** Of the Hub, without a trailing slash. */
  readonly hubEndpoint: string
  /** Read at each use: a token may be changed while the agent runs. */
  hubToken(): Promise<string | undefined>
  credentialsOf(host: string): RegistryCredentials | undefined
}

/** How a model is wanted: the part of `EnsureOptions` that decides which files. */
export type Wanted = Pick<EnsureOptions, 'want' | 'allow' | 'ignore'>
