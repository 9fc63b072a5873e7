import { BlockCache } from './block-cache.ts'
import type { EngineSpec } from './engine-speed.ts'
import type { Trace } from './trace.ts'

/** What has become of each request of a trace so far; by its index. */
export interface Progress {
  /** Tokens in the KV cache. */
  readonly computed: Int32Array
  /** Tokens written. */
  readonly produced: Int32Array
  /** Tokens to read before the next is written: the prompt, and what was written before it lost its place. */
  readonly target: Int32Array
  /** Prompt tokens found in the prefix cache when the request got its place. */
  readonly cached: Int32Array
  readonly firstTokenMs: Float64Array
  readonly finishedMs: Float64Array
}

/** Nothing done yet. */
export const createProgress = ({ count }: Trace): Progress => ({
  computed: new Int32Array(count),
  produced: new Int32Array(count),
  target: new Int32Array(count),
  cached: new Int32Array(count),
  firstTokenMs: new Float64Array(count),
  finishedMs: new Float64Array(count),
})

/**
 * One engine: vLLM's v1 scheduler at the grain of an iteration. Each iteration gives every sequence
 * that decodes one token, spends the rest of the budget on prompts, those that have begun first,
 * and takes in waiting requests in order while a place and KV cache are left. Iterations without
 * prompt tokens are alike and run as one event until a sequence ends or a request arrives.
 */
export class Engine {
  /** When the iterations under way are over; Infinity when idle. */
  endMs = Infinity
  readonly spec: EngineSpec
  readonly #trace: Trace
  readonly #progress: Progress
  readonly #cache = new BlockCache()
  readonly #waiting: number[] = []
  #running: number[] = []
  /** Prompt tokens each running request gets in this iteration. */
  #chunks: number[] = []
  /** KV tokens that are not part of a cached block. */
  #looseTokens = 0
  /** By request: its part of `#looseTokens`, and how many of its blocks it holds. */
  readonly #loose: Int32Array
  readonly #heldBlocks: Int32Array
  #startMs = 0
  #steps = 0
  #stepMs = 0
  #growthMs = 0

  constructor(spec: EngineSpec, trace: Trace, progress: Progress) {
    this.spec = spec
    this.#trace = trace
    this.#progress = progress
    this.#loose = new Int32Array(trace.count)
    this.#heldBlocks = new Int32Array(trace.count)
  }

  /** Requests that wait for a place: `vllm:num_requests_waiting`. */
  get waiting(): number {
    return this.#waiting.length
  }

  /** `vllm:num_requests_running`. */
  get running(): number {
    return this.#running.length
  }

  /** Share of the KV cache in use: `vllm:kv_cache_usage_perc`. */
  get kvUsage(): number {
    return this.#kvHeld() / this.spec.kvTokens
  }

  /** A request arrives. An idle engine begins at once, a busy one after the current iteration. */
  add(job: number, now: number): void {
    this.#progress.target[job] = this.#trace.promptTokens[job]!
    this.#waiting.push(job)
    if (this.endMs === Infinity) this.#begin(now)
    else if (this.#steps > 1) this.#cutAt(now)
  }

  /** Ends the iterations under way, begins the next, and returns the requests that are done. */
  advance(): number[] {
    const now = this.endMs
    const done: number[] = []
    const kept: number[] = []
    for (let n = 0; n < this.#running.length; n++) {
      const job = this.#running[n]!
      this.#account(job, this.#chunks[n]!, now)
      if (this.#progress.produced[job]! < this.#trace.outputTokens[job]!) kept.push(job)
      else {
        this.#progress.finishedMs[job] = now
        this.#free(job)
        done.push(job)
      }
    }
    this.#running = kept
    this.#begin(now)
    return done
  }

  /** Writes down what the iterations did for one request. */
  #account(job: number, chunk: number, now: number): void {
    const { computed, produced, target, firstTokenMs } = this.#progress
    if (chunk === 0) {
      if (computed[job]! < target[job]!) return
      computed[job]! += this.#steps
      produced[job]! += this.#steps
      this.#loose[job]! += this.#steps
      this.#looseTokens += this.#steps
      return
    }
    computed[job]! += chunk
    this.#holdFinishedBlocks(job)
    if (computed[job]! < target[job]!) return
    if (produced[job] === 0) firstTokenMs[job] = now
    produced[job]! += 1
  }

  /** Plans and starts the next iteration. */
  #begin(now: number): void {
    const { cost } = this.spec
    const { computed, target } = this.#progress
    this.#makeRoomToDecode()
    let decoding = 0
    let kvTokens = 0
    for (const job of this.#running) {
      if (computed[job]! < target[job]!) continue
      decoding += 1
      kvTokens += computed[job]!
    }
    this.#chunks = []
    let budget = this.spec.maxBatchedTokens - decoding
    let attended = 0
    const plan = (job: number) => {
      const chunk = Math.max(0, Math.min(target[job]! - computed[job]!, budget))
      budget -= chunk
      attended += chunk * (computed[job]! + chunk / 2)
      this.#chunks.push(chunk)
    }
    for (const job of this.#running) plan(job)
    while (budget > 0 && this.#takeNext()) plan(this.#running.at(-1)!)

    this.#startMs = now
    if (this.#running.length === 0) {
      this.endMs = Infinity
      return
    }
    const promptTokens = this.spec.maxBatchedTokens - decoding - budget
    this.#growthMs = decoding * cost.kvTokenMs
    this.#stepMs =
      cost.fixedMs +
      promptTokens * cost.promptTokenMs +
      attended * cost.attendedTokenMs +
      decoding * cost.sequenceMs +
      kvTokens * cost.kvTokenMs
    this.#steps = promptTokens > 0 ? 1 : this.#stepsUntilChange()
    this.endMs = now + this.#lastingMs(this.#steps)
  }

  /** Iterations until a sequence ends or the KV cache is full. */
  #stepsUntilChange(): number {
    let steps = Infinity
    for (const job of this.#running) {
      const left = this.#trace.outputTokens[job]! - this.#progress.produced[job]!
      if (left < steps) steps = left
    }
    const free = this.spec.kvTokens - this.#kvHeld()
    const room = Math.floor(free / this.#running.length)
    return Math.max(1, Math.min(steps, room))
  }

  /** Each iteration reads one more token a sequence than the one before. */
  #lastingMs(steps: number): number {
    return steps * this.#stepMs + (this.#growthMs * steps * (steps - 1)) / 2
  }

  /** Ends the run of iterations with the one that is under way now. */
  #cutAt(now: number): void {
    let low = 1
    let high = this.#steps
    while (low < high) {
      const middle = (low + high) >> 1
      if (this.#startMs + this.#lastingMs(middle) >= now) high = middle
      else low = middle + 1
    }
    this.#steps = low
    this.endMs = this.#startMs + this.#lastingMs(low)
  }

  /** Gives the first waiting request a place, when it fits. */
  #takeNext(): boolean {
    const job = this.#waiting[0]
    if (job === undefined || this.#running.length >= this.spec.maxSeqs) return false
    const { blocks, blockTokens, blockStart, promptTokens } = this.#trace
    const { computed, cached, target, produced } = this.#progress
    const first = blockStart[job]!
    // The last token is always computed: its result is the first token written.
    const most = blockTokens === 0 ? 0 : Math.floor((promptTokens[job]! - 1) / blockTokens)
    const end = Math.min(blockStart[job + 1]!, first + most)
    let hit = first
    while (hit < end && this.#cache.has(blocks[hit]!)) this.#cache.hold(blocks[hit++]!)
    const found = (hit - first) * blockTokens
    const wanted = target[job]! - found
    if (this.#kvHeld() + wanted > this.spec.kvTokens && this.#running.length > 0) {
      while (hit > first) this.#cache.letGo(blocks[--hit]!)
      return false
    }
    this.#waiting.shift()
    this.#running.push(job)
    this.#heldBlocks[job] = hit - first
    this.#loose[job] = wanted
    this.#looseTokens += wanted
    computed[job] = found
    if (produced[job] === 0) cached[job] = found
    this.#evictDown()
    return true
  }

  /** Blocks whose last token is computed can be found by others from now on. */
  #holdFinishedBlocks(job: number): void {
    const { blocks, blockTokens, blockStart, promptTokens } = this.#trace
    if (blockTokens === 0) return
    const first = blockStart[job]!
    const readable = Math.min(this.#progress.computed[job]!, promptTokens[job]!)
    const end = Math.min(blockStart[job + 1]! - first, Math.floor(readable / blockTokens))
    while (this.#heldBlocks[job]! < end) {
      this.#cache.hold(blocks[first + this.#heldBlocks[job]!]!)
      this.#heldBlocks[job]! += 1
      this.#loose[job]! -= blockTokens
      this.#looseTokens -= blockTokens
    }
  }

  /** The youngest lose their place when not every sequence can grow by a token. */
  #makeRoomToDecode(): void {
    while (this.#running.length > 1 && this.#kvHeld() + this.#running.length > this.spec.kvTokens) {
      const job = this.#running.pop()!
      this.#free(job)
      this.#progress.computed[job] = 0
      this.#progress.target[job] = this.#trace.promptTokens[job]! + this.#progress.produced[job]!
      this.#waiting.unshift(job)
    }
    this.#evictDown()
  }

  /** Its blocks stay findable; the last of a chain leaves first, as it is of no use without the rest. */
  #free(job: number): void {
    const { blocks, blockStart } = this.#trace
    const first = blockStart[job]!
    for (let n = this.#heldBlocks[job]! - 1; n >= 0; n--) this.#cache.letGo(blocks[first + n]!)
    this.#heldBlocks[job] = 0
    this.#looseTokens -= this.#loose[job]!
    this.#loose[job] = 0
  }

  #kvHeld(): number {
    return this.#looseTokens + this.#cache.held * this.#trace.blockTokens
  }

  #evictDown(): void {
    const room = this.spec.kvTokens - this.#looseTokens
    while (this.#cache.size * this.#trace.blockTokens > room && this.#cache.evict());
  }
}
