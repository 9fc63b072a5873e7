import { once } from 'node:events'
import { setImmediate as turn } from 'node:timers/promises'
import { answerJson } from './answer-json.ts'
import type { Call, EngineDialect } from './dialect.ts'
import type { Engine } from './engine.ts'
import { generate } from './generate.ts'
import { createJob, type Ask, type Job } from './job.ts'
import { crash, isCrashDue } from './failures.ts'

/** How one route writes an answer. */
export interface WireFormat {
  readonly contentType: string
  /** vLLM sends headers when it accepts, the others with the first byte. */
  readonly hasEarlyHeaders: boolean
  first(job: Job): string
  token(job: Job, text: string): string
  last(job: Job): string
  whole(job: Job, text: string): unknown
}

/** Runs one request from its place in the queue to its last byte. */
export const serveGeneration = async (
  engine: Engine,
  dialect: EngineDialect,
  call: Call,
  { ask, format }: { ask: Ask; format: WireFormat },
): Promise<void> => {
  const job = createJob(engine, call.request, call.response, ask)
  engine.jobs.add(job)
  call.response.once('close', () => {
    if (call.response.writableFinished) return
    job.isClientGone = true
    dialect.onClientGone(job)
  })
  if (ask.isStream && format.hasEarlyHeaders) writeStreamHead(job, format)
  const slots = engine.slotsOf(ask.model)
  job.slot = await slots.take(job.signal)
  try {
    if (job.slot !== undefined) await runInSlot(engine, dialect, job, format)
  } finally {
    if (job.slot !== undefined) slots.give(job.slot)
    finish(engine, job)
  }
  if (isCrashDue(engine)) whenFlushed(call, () => crash(engine, dialect))
}

const whenFlushed = ({ response }: Call, then: () => void): void => {
  if (response.writableFinished || response.destroyed) then()
  else response.once('close', then)
}

const runInSlot = async (
  engine: Engine,
  dialect: EngineDialect,
  job: Job,
  format: WireFormat,
): Promise<void> => {
  job.record.outcome = 'running'
  engine.counters.promptTokens += job.promptTokens
  const parts: string[] = []
  for await (const text of generate(engine, job)) {
    if (job.ask.isStream) {
      await writeToken(job, format, text)
      dialect.onResult()
    } else parts.push(text)
    countToken(engine, dialect, job)
    if (job.record.tokens_sent === engine.knobs.dropMidStreamAfter) return drop(job)
  }
  dialect.onResult()
  if (job.signal.aborted || job.isClientGone) return
  if (job.ask.isStream) endStream(dialect, job, format)
  else answerJson(job.response, 200, format.whole(job, parts.join('')))
  job.record.outcome = 'done'
}

const countToken = (engine: Engine, dialect: EngineDialect, job: Job): void => {
  job.record.tokens_sent += 1
  engine.counters.sentTokens += 1
  if (engine.counters.sentTokens === engine.knobs.crashAfterTokens) crash(engine, dialect)
}

const writeStreamHead = (job: Job, format: WireFormat): void => {
  const { response } = job
  if (response.headersSent || response.destroyed) return
  response.writeHead(200, { 'content-type': format.contentType, 'cache-control': 'no-cache' })
  response.flushHeaders()
}

const writeToken = async (job: Job, format: WireFormat, text: string): Promise<void> => {
  const { response } = job
  if (response.destroyed) return
  const isFirst = job.record.tokens_sent === 0
  if (isFirst) writeStreamHead(job, format)
  const bytes = (isFirst ? format.first(job) : '') + format.token(job, text)
  if (response.write(bytes)) return
  const close = new AbortController()
  const left = () => close.abort()
  response.once('close', left)
  try {
    await once(response, 'drain', { signal: close.signal })
  } catch {
    // The client left while we waited for it; `onClientGone` has the job.
  } finally {
    response.off('close', left)
  }
}

const endStream = (dialect: EngineDialect, job: Job, format: WireFormat): void => {
  const { response } = job
  const { socket } = response
  response.end(format.last(job), () => {
    if (dialect.closesAfterStream) socket?.destroySoon()
  })
}

const drop = async (job: Job): Promise<void> => {
  // Node holds back what was written in this turn; the client is to have its N tokens.
  await turn()
  job.record.outcome = 'dropped'
  job.response.destroy()
}

const finish = (engine: Engine, job: Job): void => {
  const { record } = job
  if (record.outcome === 'queued' || record.outcome === 'running') {
    record.outcome = 'aborted'
    job.response.destroy()
  }
  engine.jobs.delete(job)
  if (record.outcome === 'done') {
    engine.counters.done += 1
    if (job.answer.finishReason === 'stop') engine.counters.stopped += 1
    else engine.counters.lengthened += 1
  } else if (record.outcome === 'dropped') engine.counters.dropped += 1
  else engine.counters.aborted += 1
  engine.changed()
}
