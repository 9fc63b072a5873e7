import type { FoundDevice, GpuProcess } from '@berth/devices'
import { sleep, unreachable, type Cancel, type Clock } from '@berth/kernel'
import {
  balanceOf,
  cancelReservation,
  concludeLoad,
  correctionFor,
  emptyLedger,
  measureDevices,
  observeMemory,
  releaseMemory,
  reserveMemory,
  type Ledger,
  type LedgerEntry,
  type LedgerPolicy,
  type MemoryUse,
  type OverdueRelease,
} from '@berth/memory'
import type { Logger } from '@berth/runtime'
import type { CrashReport, LogSign } from '@berth/supervision'
import type { Devices } from '../device/devices.ts'
import type { Strangers } from './explain-shortfall.ts'
import { createHeardMemory, type HeardMemory } from './heard-memory.ts'
import type { KeptCorrections } from './keep-corrections.ts'
import { weighLoad, type MemoryLoad, type WeighedLoad } from './memory-load.ts'
import { usesOfProcesses } from './process-memory.ts'
import { refuseFull, refuseShort, refuseWeighed } from './refuse-load.ts'

export interface MemoryBookOptions {
  readonly clock: Clock
  readonly log: Logger
  readonly devices: Pick<Devices, 'found' | 'resolve' | 'processes' | 'look' | 'onLook'>
  readonly policy: LedgerPolicy
  readonly corrections: KeptCorrections
  /** Every process of an instance: its group, and what carries its mark. */
  readonly pidsOf: (instanceId: string, pid: number) => readonly number[]
}

/** Who waits for a booking. */
export interface BookingWatcher {
  readonly signal?: AbortSignal | undefined
  /** What it waits for, in words. */
  onStep?(step: string): void
}

/** An engine whose memory is booked, and what is known of it. */
interface Booked {
  readonly load: MemoryLoad
  readonly heard: HeardMemory
  /** 0 until it serves. */
  pid: number
  concluding: Cancel
}

/** An engine is measured when it has been ready for so long: its log and its driver lag behind. */
const SETTLE_MS = 1_000
/** Between two measurements while a load waits for memory. */
const WAIT_MS = 500
/** Engines that serve are measured anew at each so many looks at the devices: once a minute. */
const LOOKS_PER_MEASURE = 12
/** The sum of what an engine took before it ran out was not enough: the next one asks for more. */
const FELL_SHORT_FACTOR = 1.2

/**
 * The memory of this host's devices as it is promised, taken and given back: every engine of the
 * agent is booked here before it starts, and until its memory was seen free.
 */
export class MemoryBook implements Disposable {
  readonly #options: MemoryBookOptions
  readonly #booked = new Map<string, Booked>()
  readonly #errors = new Map<string, number>()
  readonly #versions = new Map<string, string>()
  readonly #listeners = new Set<() => void>()
  readonly #stopLooking: Cancel
  /** By device: what did not come back in time, in words. */
  readonly #lost = new Map<string, string>()
  #ledger: Ledger
  #looks = 0

  constructor(options: MemoryBookOptions) {
    this.#options = options
    this.#ledger = emptyLedger(options.policy, options.corrections.first)
    this.#stopLooking = options.devices.onLook(() => this.#looked())
    this.#take()
  }

  get ledger(): Ledger {
    return this.#ledger
  }

  /** How far the last estimate of each pool was off: 0.1 is a tenth, in whichever direction. */
  get errors(): ReadonlyMap<string, number> {
    return this.#errors
  }

  /** What an engine said of its memory; `undefined` of one that is not booked. */
  heardOf(instanceId: string): HeardMemory | undefined {
    return this.#booked.get(instanceId)?.heard
  }

  /** What the files of its model say; `undefined` of one that is not booked, or does not tell. */
  factsOf(instanceId: string): MemoryLoad['facts'] {
    return this.#booked.get(instanceId)?.load.facts
  }

  entryOf(instanceId: string): LedgerEntry | undefined {
    return this.#ledger.entries.find(({ entryId }) => entryId === instanceId)
  }

  onChange(fn: () => void): Cancel {
    this.#listeners.add(fn)
    return () => this.#listeners.delete(fn)
  }

  /**
   * Books what a load will take, or says why it cannot be had. Waits for memory that engines which
   * have ended have not given back, until their deadline. Rejects with the signal's reason.
   */
  async book(load: MemoryLoad, watcher: BookingWatcher = {}): Promise<CrashReport | undefined> {
    const { clock } = this.#options
    for (;;) {
      await this.look(load)
      watcher.signal?.throwIfAborted()
      const weighed = this.weigh(load)
      const refused = refuseWeighed(load, weighed, this.#ledger, this.#options.devices.found)
      if (refused) return refused
      const outcome = reserveMemory(this.#ledger, weighed.claim)
      switch (outcome.kind) {
        case 'reserved':
          this.#ledger = outcome.ledger
          this.#enter(load)
          return undefined
        case 'full':
          return refuseFull(outcome.maxEntries)
        case 'refused': {
          const strangers = await this.strangers()
          const lost = outcome.shortfalls.flatMap(({ deviceId }) => this.#lost.get(deviceId) ?? [])
          return refuseShort(load, { ...weighed, ...outcome, lost }, this.#ledger, strangers)
        }
        case 'wait':
          watcher.onStep?.(waitingFor(outcome.releasing))
          await sleep(clock, WAIT_MS, watcher.signal)
          break
        default:
          return unreachable(outcome)
      }
    }
  }

  /** What a load would take on devices as they are, or as they would be; nothing is booked. */
  weigh(load: MemoryLoad, devices?: readonly FoundDevice[]): WeighedLoad {
    const mask = this.#maskOf(load)
    const on = devices
      ? mask.map((one) => devices.find(({ deviceId }) => deviceId === one.deviceId) ?? one)
      : mask.map((device) => withAvailable(this.#ledger, device))
    return weighLoad(load, on)
  }

  /** The ledger and the devices as they would be without the engine of a pool. */
  without(poolId: string): { readonly ledger: Ledger; readonly devices: readonly FoundDevice[] } {
    const ledger = withoutPool(this.#ledger, poolId)
    return { ledger, devices: this.#options.devices.found.map((it) => withAvailable(ledger, it)) }
  }

  /** Looks at the devices of a load now, where they are GPUs. */
  async look(load: MemoryLoad): Promise<void> {
    if (this.#maskOf(load).some(({ kind }) => kind !== 'cpu')) await this.#options.devices.look()
  }

  /** Who is on the GPUs, and which of them are engines of this agent. */
  async strangers(): Promise<Strangers> {
    const { devices, pidsOf } = this.#options
    const shown: readonly GpuProcess[] | undefined = await devices.processes()
    const ownPids = new Set(
      [...this.#booked].flatMap(([id, { pid }]) => (pid === 0 ? [] : pidsOf(id, pid))),
    )
    return { shown, ownPids, devices: devices.found }
  }

  /** `--version` of the program that a pool was started with last; empty when nobody asked. */
  versionOf(poolId: string): string {
    return this.#versions.get(poolId) ?? ''
  }

  /** Observed over estimated in earlier loads like it; 1 when there was none. */
  correctionOf({ claim }: WeighedLoad): number {
    return claim.isReservation ? 1 : correctionFor(this.#ledger.corrections, claim.learnKey)
  }

  /** An engine of an earlier life has what it has: it is booked as it is measured. */
  adopt(load: MemoryLoad): void {
    if (this.entryOf(load.entryId)) return
    const { claim } = weighLoad({ ...load, facts: undefined }, [])
    const perDevice = this.#maskOf(load).map(({ deviceId }) => ({ deviceId, bytes: 0 }))
    const outcome = reserveMemory(this.#ledger, { ...claim, perDevice, isReservation: true })
    if (outcome.kind !== 'reserved') return
    this.#ledger = outcome.ledger
    this.#enter(load)
  }

  /** A line of an engine's log told something. */
  hear(instanceId: string, sign: LogSign): void {
    this.#booked.get(instanceId)?.heard.hear(sign)
  }

  /** The engine serves: what it took is measured soon, and learned. */
  serving(instanceId: string, pid: number): void {
    const booked = this.#booked.get(instanceId)
    if (!booked) return
    booked.pid = pid
    booked.concluding()
    booked.concluding = this.#options.clock.after(SETTLE_MS, () => void this.#conclude(instanceId))
  }

  /** The engine ran out of memory: another load like it asks for more. */
  fellShort(instanceId: string): void {
    const entry = this.entryOf(instanceId)
    if (entry?.state !== 'reserved') return
    const uses = entry.shares.map(({ deviceId, reservedBytes }) => ({
      deviceId,
      bytes: Math.ceil(reservedBytes * FELL_SHORT_FACTOR),
    }))
    this.#learn(concludeLoad(this.#ledger, instanceId, uses))
  }

  /** Nothing of the engine is left: its memory is awaited. */
  release(instanceId: string): void {
    this.#booked.get(instanceId)?.concluding()
    this.#booked.delete(instanceId)
    const entry = this.entryOf(instanceId)
    if (!entry) return
    this.#ledger = releaseMemory(this.#ledger, instanceId, this.#options.clock.now())
    if (entry.shares.every(({ deviceId }) => deviceId === 'cpu')) this.#take()
    else void this.#options.devices.look()
    this.#changed()
  }

  /** It was booked and never started. */
  cancel(instanceId: string): void {
    if (!this.#booked.delete(instanceId)) return
    this.#ledger = cancelReservation(this.#ledger, instanceId)
    this.#changed()
  }

  [Symbol.dispose](): void {
    this.#stopLooking()
    for (const { concluding } of this.#booked.values()) concluding()
    this.#listeners.clear()
  }

  #enter(load: MemoryLoad): void {
    if (load.engineVersion !== '') this.#versions.set(load.spec.poolId, load.engineVersion)
    const heard = createHeardMemory()
    this.#booked.set(load.entryId, { load, heard, pid: 0, concluding: () => undefined })
    this.#changed()
  }

  async #conclude(instanceId: string): Promise<void> {
    const uses = (await this.#usesOf(instanceId)) ?? []
    const before = this.entryOf(instanceId)
    if (!before) return
    this.#learn(concludeLoad(this.#ledger, instanceId, uses))
    // What was measured before counts it as still to be taken.
    if (before.shares.some(({ deviceId }) => deviceId !== 'cpu')) void this.#options.devices.look()
    if (before.state !== 'reserved' || uses.length === 0) return
    const { shares, correction, poolId } = before
    const estimated = Math.round(sum(shares.map((share) => share.estimateBytes)) * correction)
    const used = sum(uses.map(({ bytes }) => bytes))
    if (estimated > 0 && used > 0) this.#errors.set(poolId, Math.abs(estimated / used - 1))
    this.#options.log.info(
      { pool_id: poolId, instance_id: instanceId, estimated_bytes: estimated, used_bytes: used },
      'memory of an engine was measured',
    )
  }

  #learn(next: Ledger): void {
    const hasLearned = next.corrections !== this.#ledger.corrections
    this.#ledger = next
    if (hasLearned) this.#options.corrections.keep(next.corrections)
    this.#changed()
  }

  /** By its processes where the driver shows them, else by its own words. */
  async #usesOf(
    instanceId: string,
    asked?: readonly GpuProcess[],
  ): Promise<readonly MemoryUse[] | undefined> {
    const booked = this.#booked.get(instanceId)
    if (!booked || booked.pid === 0) return undefined
    const devices = this.#maskOf(booked.load)
    const heard = booked.heard.uses(devices)
    const isHeard = heard.length > 0 ? heard : undefined
    if (devices.every(({ kind }) => kind === 'cpu')) return isHeard
    const pids = new Set(this.#options.pidsOf(instanceId, booked.pid))
    const shown = asked ?? (await this.#options.devices.processes())
    return usesOfProcesses(shown, pids, devices) ?? isHeard
  }

  #looked(): void {
    this.#take()
    this.#looks += 1
    if (this.#looks % LOOKS_PER_MEASURE === 0) void this.#measureServing()
  }

  async #measureServing(): Promise<void> {
    const serving = [...this.#booked].filter(
      ([instanceId, { load }]) =>
        this.entryOf(instanceId)?.state === 'observed' &&
        this.#maskOf(load).some(({ kind }) => kind !== 'cpu'),
    )
    if (serving.length === 0) return
    // Asked once for all of them.
    const shown = await this.#options.devices.processes()
    for (const [instanceId] of serving) {
      const uses = await this.#usesOf(instanceId, shown)
      if (uses) this.#ledger = observeMemory(this.#ledger, instanceId, uses)
    }
  }

  /** Takes over what the devices were last seen to have. */
  #take(): void {
    const { clock, devices } = this.#options
    const gpus = devices.found.filter(({ kind }) => kind !== 'cpu')
    const measured = gpus.map(({ deviceId, memoryTotalBytes, memoryFreeBytes }) => ({
      deviceId,
      ...(memoryTotalBytes === undefined ? {} : { totalBytes: memoryTotalBytes }),
      ...(memoryFreeBytes === undefined ? {} : { freeBytes: memoryFreeBytes }),
    }))
    const { ledger, freed, overdue } = measureDevices(this.#ledger, measured, clock.now())
    this.#ledger = ledger
    for (const { shares } of freed) for (const { deviceId } of shares) this.#lost.delete(deviceId)
    for (const each of overdue) void this.#tellOverdue(each)
    if (freed.length + overdue.length > 0) this.#changed()
  }

  async #tellOverdue({ entry, held }: OverdueRelease): Promise<void> {
    const seconds = this.#ledger.policy.releaseTimeoutMs / 1_000
    for (const { deviceId, unexplainedBytes } of held) {
      if (!unexplainedBytes) continue
      this.#lost.set(
        deviceId,
        `memory that the last engine of pool ${entry.poolId} had did not come back in ${seconds} s`,
      )
    }
    const { shown, ownPids } = await this.strangers()
    this.#options.log.error(
      {
        ...{ pool_id: entry.poolId, instance_id: entry.entryId, held },
        holders: shown?.filter(({ pid }) => !ownPids.has(pid)).slice(0, 16),
      },
      'memory of an engine that ended did not come back',
    )
  }

  #maskOf({ spec }: MemoryLoad): readonly FoundDevice[] {
    return this.#options.devices.resolve(spec.devices).devices
  }

  #changed(): void {
    for (const listener of [...this.#listeners]) listener()
  }
}

const withAvailable = (ledger: Ledger, device: FoundDevice): FoundDevice => {
  const { availableBytes } = balanceOf(ledger, device.deviceId)
  return device.kind === 'cpu' || availableBytes === undefined
    ? device
    : { ...device, memoryFreeBytes: availableBytes }
}

/** What its engine was seen to use is free. */
const withoutPool = (ledger: Ledger, poolId: string): Ledger => {
  const own = ledger.entries.filter((entry) => entry.poolId === poolId)
  const shownOn = (id: string) =>
    sum(own.flatMap(({ shares }) => shares.map((it) => (it.deviceId === id ? it.shownBytes : 0))))
  return {
    ...ledger,
    entries: ledger.entries.filter((entry) => entry.poolId !== poolId),
    devices: ledger.devices.map((device) => {
      const { deviceId, freeBytes, totalBytes = Infinity } = device
      if (freeBytes === undefined) return device
      return { ...device, freeBytes: Math.min(totalBytes, freeBytes + shownOn(deviceId)) }
    }),
  }
}

const waitingFor = (releasing: readonly LedgerEntry[]): string => {
  const pools = [...new Set(releasing.map(({ poolId }) => poolId))]
  return `waiting for the memory that the last engine of pool ${pools.join(', ')} had`
}

const sum = (parts: readonly number[]): number => parts.reduce((total, part) => total + part, 0)
