import type { Logger } from '@berth/runtime'

/** What the bus needs of a logger. */
export type BusLog = Pick<Logger, 'debug' | 'info' | 'warn' | 'error'>
