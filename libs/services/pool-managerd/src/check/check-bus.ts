import type { NatsLook } from '@berth/bus'
import { fail, ok, warn, type CheckLine } from './check-line.ts'

/** Lease tokens live 30 s on core's clock and are read on this host's. */
const TOKEN_LIFE_MS = 30_000
const NOTABLE_MS = 1_000

/** What a look at NATS says of NATS itself, of the clock and of core. */
export const checkBus = (url: string, look: NatsLook): CheckLine[] => {
  const where = withoutSecrets(url)
  if (!look.isReachable) {
    const { problem } = look
    const advice = /authori[sz]ation|authentication|permission/i.test(problem)
      ? 'Set nats_user and nats_password to what the server knows.'
      : 'Start it (nats-server --jetstream), or set nats_url.'
    return [
      fail('NATS', `${where}: ${problem}`, advice),
      warn('clock', 'it could not be compared: NATS does not answer', 'Mend NATS first.'),
      warn('core', 'it could not be looked for: NATS does not answer', 'Mend NATS first.'),
    ]
  }
  return [checkNats(where, look), checkClock(look.aheadMs), checkCore(look)]
}

type Reached = Extract<NatsLook, { readonly isReachable: true }>

const checkNats = (where: string, { version, jetStreamProblem }: Reached): CheckLine =>
  jetStreamProblem === undefined
    ? ok('NATS', `${where}, version ${version}, with JetStream`)
    : fail(
        'NATS',
        `${where} has no JetStream for this user: ${jetStreamProblem}`,
        'Start it with --jetstream, and let this user use it.',
      )

const checkClock = (aheadMs: number | undefined): CheckLine => {
  if (aheadMs === undefined)
    return ok('clock', 'nothing to compare it with: no core and no agent has used this NATS yet')
  const off = `${Math.abs(aheadMs)} ms ${aheadMs < 0 ? 'behind' : 'ahead of'} the NATS server`
  const advice = 'Keep the clocks of all hosts by NTP: timedatectl set-ntp true'
  if (Math.abs(aheadMs) >= TOKEN_LIFE_MS / 2)
    return fail(
      'clock',
      `${off}: leases expire before they are used, or outlive their time`,
      advice,
    )
  return Math.abs(aheadMs) >= NOTABLE_MS ? warn('clock', off, advice) : ok('clock', off)
}

const checkCore = ({ leader }: Reached): CheckLine => {
  if (leader === undefined)
    return warn(
      'core',
      'none leads: pools start, and nobody sends them requests',
      'Start orchestrator-core on the same NATS.',
    )
  return ok('core', `${nameOf(leader)} leads`)
}

/** Core writes JSON; what is none is shown as it is. */
const nameOf = (record: string): string => {
  try {
    const { leaderId, address } = JSON.parse(record) as Readonly<Record<string, unknown>>
    return `${String(leaderId)} at ${String(address)}`
  } catch {
    return record.slice(0, 80)
  }
}

const withoutSecrets = (url: string): string => url.replace(/\/\/[^@/]*@/g, '//')
