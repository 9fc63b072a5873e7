import { once } from 'node:events'
import { BerthError, type Cancel, type Clock } from '@berth/kernel'
import type { Request, RequestHandler, Response } from 'express'
import type { Fleet } from '../fleet-client.ts'
import type { PoolCommands } from '../pool-commands-client.ts'
import { invalidParam, toErrorAnswer } from './error-envelope.ts'
import { contextOf } from './request-context.ts'

/** What the ring of an agent holds. */
const LINES_MAX = 1_000
const LINES_DEFAULT = 100
/** Logs followed at once through this gateway. */
const FOLLOWERS_MAX = 64
/** So that proxies keep a quiet stream open. */
const COMMENT_EVERY_MS = 15_000

export interface PoolLogDeps {
  readonly pools: PoolCommands
  readonly fleet: Fleet
  readonly clock: Clock
  readonly slowReaderMs: number
  /** Aborted when this gateway stops. */
  readonly stopping: AbortSignal
}

/** `GET /v1/pools/{id}/logs?lines=&follow=`: a list of lines, or an event for each when following. */
export const getPoolLogs = (deps: PoolLogDeps): RequestHandler => {
  let followers = 0
  return async (req, res) => {
    const poolId = String(req.params['id'])
    const lines = readLines(req)
    if (!readFollow(req)) return void res.json(await lastLines(deps, poolId, lines, res))
    if (followers >= FOLLOWERS_MAX) throw tooMany()
    followers += 1
    try {
      await follow(deps, poolId, lines, res)
    } finally {
      followers -= 1
    }
  }
}

const lastLines = async ({ pools }: PoolLogDeps, poolId: string, lines: number, res: Response) => {
  const gone = new AbortController()
  const wanted = { lines, isFollowing: false, signal: gone.signal }
  const data: string[] = []
  for await (const batch of pools.log(poolId, wanted, contextOf(res).correlationId))
    data.push(...batch)
  return { object: 'list', data }
}

/** Until the client leaves, the pool is gone, or this gateway stops. */
const follow = async (deps: PoolLogDeps, poolId: string, lines: number, res: Response) => {
  const { correlationId } = contextOf(res)
  // While there is still a status to answer with.
  await deps.fleet.getPool(poolId, correlationId)
  const left = new AbortController()
  res.once('close', () => left.abort())
  const signal = AbortSignal.any([left.signal, deps.stopping])
  res.writeHead(200, EVENT_STREAM)
  res.write(`: log of ${poolId}\n\n`)
  let stopComments = keepOpen(deps.clock, res)
  try {
    for await (const batch of deps.pools.log(
      poolId,
      { lines, isFollowing: true, signal },
      correlationId,
    )) {
      stopComments()
      if (!res.write(batch.map(event).join(''))) await drained(deps, res, signal)
      stopComments = keepOpen(deps.clock, res)
    }
  } catch (error) {
    if (!signal.aborted) res.write(errorEvent(BerthError.from(error), correlationId))
  } finally {
    stopComments()
    res.end()
  }
}

const EVENT_STREAM = {
  'Content-Type': 'text/event-stream; charset=utf-8',
  'Cache-Control': 'no-cache',
  'X-Accel-Buffering': 'no',
}

/** A line end of its own would end the field. */
const event = (line: string) => `data: ${line.replaceAll('\r', ' ')}\n\n`

const errorEvent = (error: BerthError, correlationId: Parameters<typeof toErrorAnswer>[1]) =>
  `event: error\ndata: ${JSON.stringify(toErrorAnswer(error, correlationId).body)}\n\n`

const keepOpen = (clock: Clock, res: Response): Cancel => {
  let cancel: Cancel
  const comment = () => {
    res.write(': \n\n')
    cancel = clock.after(COMMENT_EVERY_MS, comment)
  }
  cancel = clock.after(COMMENT_EVERY_MS, comment)
  return () => cancel()
}

/** A reader who does not read for too long is let go. */
const drained = async ({ clock, slowReaderMs }: PoolLogDeps, res: Response, gone: AbortSignal) => {
  const slow = new AbortController()
  const cancel = clock.after(slowReaderMs, () => slow.abort())
  try {
    await once(res, 'drain', { signal: AbortSignal.any([gone, slow.signal]) })
  } finally {
    cancel()
    if (slow.signal.aborted) res.destroy()
  }
}

const readLines = (req: Request): number => {
  const text = req.query['lines']
  if (text === undefined) return LINES_DEFAULT
  const lines = typeof text === 'string' && /^\d{1,4}$/.test(text) ? Number(text) : NaN
  if (lines >= 0 && lines <= LINES_MAX) return lines
  throw invalidParam('lines', `lines must be a whole number from 0 to ${LINES_MAX}.`)
}

const readFollow = (req: Request): boolean => {
  const text = req.query['follow'] ?? 'false'
  if (text === 'true' || text === '1' || text === '') return true
  if (text === 'false' || text === '0') return false
  throw invalidParam('follow', 'follow must be true or false.')
}

const tooMany = () =>
  new BerthError(
    'RATE_LIMITED',
    `This gateway follows ${FOLLOWERS_MAX} logs already. End one, or ask again later.`,
    { retryAfterMs: 5_000 },
  )
