import type { Paths } from './paths.ts'
import type { PoolChoice } from './engine-choice.ts'
import type { CommandContext } from './run-command.ts'

export interface UpOptions extends PoolChoice {
  /** Of the gateway; 0 takes a free one. */
  readonly port: number
  readonly detach: boolean
}

export interface UpContext extends CommandContext {
  readonly paths: Paths
  readonly options: UpOptions
}
