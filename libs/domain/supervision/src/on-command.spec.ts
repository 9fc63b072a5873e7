import { expect, it } from '@jest/globals'
import { plain, tellEverywhere } from './testing/pools-in-states.ts'

/** What becomes of a pool in each state; in those that are not named it changes nothing. */
const EXPECTED: readonly (readonly [string, object, string])[] = [
  [
    'start',
    { kind: 'start' },
    `
      stopped:
        preparing (new)
        isWanted=true, history={restarts=[] attempts=0 total=0 lastStartAt=10000 openings=0}
        "start was asked for", launch
      drained to stop:
        ready readyAt=0
        isWanted=true
        "start was asked for", probe 5000, watch 5000, settle 50000, stable 290000
      stopping:
        stopping goal=restart
        isWanted=true
      backoff, failed:
        preparing (new)
        history={restarts=[] attempts=0 total=0 lastStartAt=10000 openings=0}
        "start was asked for", launch
    `,
  ],
  [
    'stop',
    { kind: 'stop', drainMs: 0 },
    `
      preparing:
        stopping goal=stop
        isWanted=false
        "stop was asked for"
      starting, loading:
        stopping goal=stop
        isWanted=false
        "stop was asked for", signal SIGTERM, kill 10000, await_gone
      ready, shaky, held, drained to restart:
        stopping goal=stop
        isWanted=false
        abort_requests, "stop was asked for", signal SIGTERM, kill 10000, await_gone
      drained to stop:
        stopping goal=stop
        abort_requests, "stop was asked for", signal SIGTERM, kill 10000, await_gone
      drained to reload:
        stopping goal=stop
        isWanted=false, reload=undefined, lastReload={outcome=cancelled to=b message=stop was
          asked for}
        abort_requests, "stop was asked for", signal SIGTERM, kill 10000, await_gone
      restarting:
        stopping goal=stop
        isWanted=false
      crashed:
        crashed report=signal
        isWanted=false
      backoff, failed:
        stopped
        isWanted=false
        "stop was asked for"
    `,
  ],
  [
    'stop, after a drain',
    { kind: 'stop', drainMs: 5_000 },
    `
      preparing:
        stopping goal=stop
        isWanted=false
        "stop was asked for"
      starting, loading:
        stopping goal=stop
        isWanted=false
        "stop was asked for", signal SIGTERM, kill 10000, await_gone
      ready, held, drained to restart:
        draining goal=stop onDeadline=force readyAt=0
        isWanted=false
        "stop was asked for", probe 5000, watch 5000, settle 50000, stable 290000, drain 5000,
          await_idle
      shaky:
        draining goal=stop onDeadline=force readyAt=0 failures=2
        isWanted=false
        "stop was asked for", probe 5000, watch 5000, settle 50000, stable 290000, drain 5000,
          await_idle
      drained to stop:
        -
        "stop was asked for", probe 5000, watch 5000, settle 50000, stable 290000, drain 5000,
          await_idle
      drained to reload:
        draining goal=stop onDeadline=force readyAt=0
        isWanted=false, reload=undefined, lastReload={outcome=cancelled to=b message=stop was
          asked for}
        "stop was asked for", probe 5000, watch 5000, settle 50000, stable 290000, drain 5000,
          await_idle
      restarting:
        stopping goal=stop
        isWanted=false
      crashed:
        crashed report=signal
        isWanted=false
      backoff, failed:
        stopped
        isWanted=false
        "stop was asked for"
    `,
  ],
  [
    'restart',
    { kind: 'restart', drainMs: 0 },
    `
      stopped:
        preparing (new)
        isWanted=true, history={restarts=[] attempts=0 total=0 lastStartAt=10000 openings=0}
        "start was asked for", launch
      preparing:
        stopping goal=restart
        "restart was asked for"
      starting, loading:
        stopping goal=restart
        "restart was asked for", signal SIGTERM, kill 10000, await_gone
      ready, shaky, held, drained to restart:
        stopping goal=restart
        abort_requests, "restart was asked for", signal SIGTERM, kill 10000, await_gone
      drained to stop:
        stopping goal=restart
        isWanted=true
        abort_requests, "restart was asked for", signal SIGTERM, kill 10000, await_gone
      drained to reload:
        stopping goal=restart
        reload=undefined, lastReload={outcome=cancelled to=b message=restart was asked for}
        abort_requests, "restart was asked for", signal SIGTERM, kill 10000, await_gone
      stopping:
        stopping goal=restart
        isWanted=true
      backoff, failed:
        preparing (new)
        history={restarts=[] attempts=0 total=0 lastStartAt=10000 openings=0}
        "start was asked for", launch
    `,
  ],
  [
    'restart, after a drain',
    { kind: 'restart', drainMs: 5_000 },
    `
      stopped:
        preparing (new)
        isWanted=true, history={restarts=[] attempts=0 total=0 lastStartAt=10000 openings=0}
        "start was asked for", launch
      preparing:
        stopping goal=restart
        "restart was asked for"
      starting, loading:
        stopping goal=restart
        "restart was asked for", signal SIGTERM, kill 10000, await_gone
      ready, held:
        draining goal=restart onDeadline=force readyAt=0
        "restart was asked for", probe 5000, watch 5000, settle 50000, stable 290000, drain
          5000, await_idle
      shaky:
        draining goal=restart onDeadline=force readyAt=0 failures=2
        "restart was asked for", probe 5000, watch 5000, settle 50000, stable 290000, drain
          5000, await_idle
      drained to stop:
        draining goal=restart onDeadline=force readyAt=0
        isWanted=true
        "restart was asked for", probe 5000, watch 5000, settle 50000, stable 290000, drain
          5000, await_idle
      drained to restart:
        -
        "restart was asked for", probe 5000, watch 5000, settle 50000, stable 290000, drain
          5000, await_idle
      drained to reload:
        draining goal=restart onDeadline=force readyAt=0
        reload=undefined, lastReload={outcome=cancelled to=b message=restart was asked for}
        "restart was asked for", probe 5000, watch 5000, settle 50000, stable 290000, drain
          5000, await_idle
      stopping:
        stopping goal=restart
        isWanted=true
      backoff, failed:
        preparing (new)
        history={restarts=[] attempts=0 total=0 lastStartAt=10000 openings=0}
        "start was asked for", launch
    `,
  ],
  [
    'drain',
    { kind: 'drain', deadlineMs: 1_000, onDeadline: 'abort' },
    `
      stopped:
        stopped
        isCordoned=true
      preparing:
        preparing
        isCordoned=true
      starting:
        starting startedAt=0 progressAt=0
        isCordoned=true
      loading:
        starting startedAt=0 hasSignOfLife progressAt=0
        isCordoned=true
      ready:
        draining goal=hold onDeadline=abort readyAt=0
        isCordoned=true
        "drain was asked for", probe 5000, watch 5000, settle 50000, stable 290000, drain
          1000, await_idle
      shaky:
        draining goal=hold onDeadline=abort readyAt=0 failures=2
        isCordoned=true
        "drain was asked for", probe 5000, watch 5000, settle 50000, stable 290000, drain
          1000, await_idle
      held:
        draining goal=hold onDeadline=abort readyAt=0
        "drain was asked for", probe 5000, watch 5000, settle 50000, stable 290000, drain
          1000, await_idle
      drained to stop:
        draining goal=stop onDeadline=force readyAt=0
        isCordoned=true
      drained to restart:
        draining goal=restart onDeadline=force readyAt=0
        isCordoned=true
      drained to reload:
        draining goal=reload onDeadline=force readyAt=0
        isCordoned=true
      stopping:
        stopping goal=stop
        isCordoned=true
      restarting:
        stopping goal=restart
        isCordoned=true
      crashed:
        crashed report=signal
        isCordoned=true
      backoff:
        backoff delayMs=2000 report=signal
        isCordoned=true
      failed:
        failed reason=config message=Unknown flag.
        isCordoned=true
    `,
  ],
  [
    'undrain',
    { kind: 'undrain' },
    `
      held:
        ready readyAt=0
        isCordoned=false
        "undrain was asked for", probe 5000, watch 5000, settle 50000, stable 290000
    `,
  ],
  ['reset_restarts', { kind: 'reset_restarts' }, ``],
  [
    'reload',
    { kind: 'reload', model: 'b', deadlineMs: 5_000, onDeadline: 'force' },
    `
      stopped:
        preparing (new)
        model=b, isWanted=true, history={restarts=[] attempts=0 total=0 lastStartAt=10000
          openings=0}, reload={phase=start to=b from= wasWanted=false}
        "reload was asked for", launch b
      preparing:
        stopping goal=restart
        reload={phase=switch to=b from= wasWanted=true}
        "reload was asked for"
      starting, loading:
        stopping goal=restart
        reload={phase=switch to=b from= wasWanted=true}
        "reload was asked for", signal SIGTERM, kill 10000, await_gone
      ready, held, drained to restart:
        draining goal=reload onDeadline=force readyAt=0
        reload={phase=drain to=b from= wasWanted=true}
        "reload was asked for", probe 5000, watch 5000, settle 50000, stable 290000, drain
          5000, await_idle
      shaky:
        draining goal=reload onDeadline=force readyAt=0 failures=2
        reload={phase=drain to=b from= wasWanted=true}
        "reload was asked for", probe 5000, watch 5000, settle 50000, stable 290000, drain
          5000, await_idle
      drained to stop:
        draining goal=reload onDeadline=force readyAt=0
        isWanted=true, reload={phase=drain to=b from= wasWanted=false}
        "reload was asked for", probe 5000, watch 5000, settle 50000, stable 290000, drain
          5000, await_idle
      stopping:
        stopping goal=restart
        isWanted=true, reload={phase=switch to=b from= wasWanted=false}
      restarting:
        stopping goal=restart
        reload={phase=switch to=b from= wasWanted=true}
      crashed:
        crashed report=signal
        reload={phase=switch to=b from= wasWanted=true}
      backoff, failed:
        preparing (new)
        model=b, history={restarts=[] attempts=0 total=0 lastStartAt=10000 openings=0},
          reload={phase=start to=b from= wasWanted=true}
        "reload was asked for", launch b
    `,
  ],
  [
    'adopt',
    { kind: 'adopt', adopted: { instanceId: 'old' } },
    `
      stopped:
        starting (new) startedAt=10000 progressAt=10000
        isWanted=true
        "taken over from an earlier life of the agent", life 30000, load 600000, probe
    `,
  ],
  [
    'device_fault',
    { kind: 'device_fault', message: 'Lost.' },
    `
      stopped:
        stopped
        lastError=Lost., deviceFault=Lost.
      preparing:
        preparing
        lastError=Lost., deviceFault=Lost.
      starting:
        starting startedAt=0 progressAt=0
        lastError=Lost., deviceFault=Lost.
      loading:
        starting startedAt=0 hasSignOfLife progressAt=0
        lastError=Lost., deviceFault=Lost.
      ready:
        draining readyAt=0 goal=hold onDeadline=force
        lastError=Lost., deviceFault=Lost.
        "Lost.", probe 5000, watch 5000, settle 50000, stable 290000
      shaky:
        draining readyAt=0 failures=2 goal=hold onDeadline=force
        lastError=Lost., deviceFault=Lost.
        "Lost.", probe 5000, watch 5000, settle 50000, stable 290000
      held:
        draining goal=hold onDeadline=force readyAt=0
        lastError=Lost., deviceFault=Lost.
      drained to stop:
        draining goal=stop onDeadline=force readyAt=0
        lastError=Lost., deviceFault=Lost.
      drained to restart:
        draining goal=restart onDeadline=force readyAt=0
        lastError=Lost., deviceFault=Lost.
      drained to reload:
        draining goal=reload onDeadline=force readyAt=0
        lastError=Lost., deviceFault=Lost.
      stopping:
        stopping goal=stop
        lastError=Lost., deviceFault=Lost.
      restarting:
        stopping goal=restart
        lastError=Lost., deviceFault=Lost.
      crashed:
        crashed report=signal
        lastError=Lost., deviceFault=Lost.
      backoff:
        backoff delayMs=2000 report=signal
        lastError=Lost., deviceFault=Lost.
      failed:
        failed reason=config message=Unknown flag.
        lastError=Lost., deviceFault=Lost.
    `,
  ],
  ['device_ok', { kind: 'device_ok' }, ``],
]

it.each(EXPECTED)('a pool that is told: %s', (_what, event, expected) => {
  expect(tellEverywhere(event)).toBe(plain(expected))
})
