import { expect, it } from '@jest/globals'
import { newSupervised } from './supervised.ts'
import { createDrive } from './testing/sample-events.ts'
import { plain, tellEverywhere } from './testing/pools-in-states.ts'

const FAULT = { kind: 'device_fault', message: 'Lost.' } as const

/** What becomes of a pool in each state whose device is at fault since before. */
const EXPECTED: readonly (readonly [string, object, string])[] = [
  [
    'device_ok',
    { kind: 'device_ok' },
    `
      stopped:
        stopped
        lastError="", deviceFault=undefined
      preparing:
        preparing
        lastError="", deviceFault=undefined
      starting:
        starting startedAt=0 progressAt=0
        lastError="", deviceFault=undefined
      loading:
        starting startedAt=0 hasSignOfLife progressAt=0
        lastError="", deviceFault=undefined
      ready:
        ready readyAt=0
        lastError="", deviceFault=undefined
        "the device is well again", probe 5000, watch 5000, settle 50000, stable 290000
      shaky:
        ready readyAt=0 failures=2
        lastError="", deviceFault=undefined
        "the device is well again", probe 5000, watch 5000, settle 50000, stable 290000
      held:
        draining goal=hold onDeadline=force readyAt=0
        lastError="", deviceFault=undefined
      drained to stop:
        draining goal=stop onDeadline=force readyAt=0
        lastError="", deviceFault=undefined
      drained to restart:
        draining goal=restart onDeadline=force readyAt=0
        lastError="", deviceFault=undefined
      drained to reload:
        draining goal=reload onDeadline=force readyAt=0
        lastError="", deviceFault=undefined
      stopping:
        stopping goal=stop
        lastError="", deviceFault=undefined
      restarting:
        stopping goal=restart
        lastError="", deviceFault=undefined
      crashed:
        crashed report=signal
        lastError=It was ended by SIGSEGV. See: berth pools logs a, deviceFault=undefined
      backoff:
        backoff delayMs=2000 report=signal
        lastError=It was ended by SIGSEGV. See: berth pools logs a, deviceFault=undefined
      failed:
        failed reason=config message=Unknown flag.
        lastError=Unknown flag. Then: berth pools start a, deviceFault=undefined
    `,
  ],
  [
    'start',
    { kind: 'start' },
    `
      stopped:
        failed reason=gpu_required message=Lost.
        isWanted=true
        "Lost."
      drained to stop:
        draining goal=hold onDeadline=force readyAt=0
        isWanted=true
        "start was asked for; a fault of its device holds the pool", probe 5000, watch 5000,
          settle 50000, stable 290000
      stopping:
        stopping goal=restart
        isWanted=true
      backoff, failed:
        failed reason=gpu_required message=Lost.
        "Lost."
    `,
  ],
  ['the same fault', FAULT, ``],
  [
    'gone',
    { kind: 'gone' },
    `
      stopping:
        stopped
        "stop was asked for"
      restarting:
        failed reason=gpu_required message=Lost.
        "Lost."
      crashed:
        failed reason=gpu_required message=Lost.
        "Lost.", instance_ended signal
    `,
  ],
]

it.each(EXPECTED)('a pool whose device is at fault is told: %s', (_what, event, expected) => {
  expect(tellEverywhere(event, {}, { first: FAULT })).toBe(plain(expected))
})

it('a pool that waited for its device starts as after a crash once that is well', () => {
  const { drive } = createDrive()
  const waiting = drive(newSupervised(0), [FAULT, { kind: 'start' }])
  const { pool, effects } = drive(waiting.pool, [{ kind: 'device_ok' }], 5_000)
  expect(pool.state).toMatchObject({
    kind: 'backoff',
    report: {
      kind: 'device_error',
      message: 'The device is well again. Before: Lost.',
      isRetriable: true,
    },
  })
  // Nothing has ended: there is no instance to tell of.
  expect(effects.map(({ kind }) => kind)).toEqual(['cancel_timers', 'transitioned', 'arm_timer'])
})
