import type { CrashReport } from '../driver.ts'
import type { Effect } from '../effect.ts'
import type { Step } from '../move.ts'
import { instanceOf, type PoolState } from '../pool-state.ts'
import type { Supervised } from '../supervised.ts'

const COLUMNS = 88

/**
 * A step in words, so that a spec can say all of it: what the pool has become, what else of it has
 * changed, then the reason and the effects. `-` is a pool that is as it was; `(new)` is another
 * instance than before; a report is told by its kind, `final` when it is not retriable. What must
 * hold in every step is told only where it does not: `WRONG ...`.
 */
export const tellStep = (before: Supervised, { pool, effects }: Step, now: number): string => {
  const changes = tellChanges(before, pool)
  const told = tellEffects(effects, before, pool)
  const wrong = wrongs(before, pool, effects, now)
  const state = tellState(before, pool.state)
  const isSame = changes.length === 0 && state === tellState(before, before.state)
  return [
    isSame ? '-' : state,
    ...(changes.length > 0 ? [changes.join(', ')] : []),
    ...(told.length > 0 ? [told.join(', ')] : []),
    ...wrong,
  ]
    .map((line) => wrap(line, '  '))
    .join('\n')
}

const tellState = (before: Supervised, state: PoolState): string => {
  const { kind, ...fields } = state
  const { instanceId, ...told } = fields as Record<string, unknown>
  const isNew = instanceId !== undefined && instanceId !== instanceOf(before.state)
  return [kind, ...(isNew ? ['(new)'] : []), ...Object.entries(told).flatMap(tellField)].join(' ')
}

/** Fields that say nothing unusual are left out. */
const tellField = ([name, value]: readonly [string, unknown]): string[] => {
  if (value === false || (value === 0 && (name === 'failures' || name === 'kills'))) return []
  if (value === true) return [name]
  return [`${name}=${tellValue(value)}`]
}

const tellValue = (value: unknown): string => {
  if (isReport(value)) return value.isRetriable ? value.kind : `${value.kind} final`
  if (Array.isArray(value)) return `[${value.map(tellValue).join(' ')}]`
  if (typeof value === 'object' && value !== null)
    return `{${Object.entries(value)
      .map(([name, of]) => `${name}=${tellValue(of)}`)
      .join(' ')}}`
  return String(value)
}

const isReport = (value: unknown): value is CrashReport =>
  typeof value === 'object' && value !== null && 'isRetriable' in value

const SKIPPED: ReadonlySet<string> = new Set(['state', 'since', 'reason', 'transitions'])

const tellChanges = (before: Supervised, after: Supervised): string[] =>
  [...new Set([...Object.keys(before), ...Object.keys(after)])].flatMap((name) => {
    const [was, is] = [before[name as keyof Supervised], after[name as keyof Supervised]]
    if (SKIPPED.has(name) || tellValue(was) === tellValue(is)) return []
    return [`${name}=${is === '' ? '""' : tellValue(is)}`]
  })

const tellEffects = (effects: readonly Effect[], before: Supervised, after: Supervised): string[] =>
  effects.flatMap((effect) => {
    const { kind, ...fields } = effect
    const { instanceId: _, ...told } = fields as Record<string, unknown>
    if (kind === 'cancel_timers') return []
    if (kind === 'transitioned') return [`"${effect.reason}"`]
    if (kind === 'arm_timer') return [`${effect.name} ${effect.ms}`]
    const isOther =
      'instanceId' in effect &&
      effect.instanceId !== instanceOf(after.state) &&
      effect.instanceId !== instanceOf(before.state)
    return [
      [
        kind,
        ...Object.values(told).map(tellValue).filter(Boolean),
        ...(isOther ? ['OTHER'] : []),
      ].join(' '),
    ]
  })

/** A transition is recorded, dated and told once, and drops every timer before it arms its own. */
const wrongs = (
  before: Supervised,
  after: Supervised,
  effects: readonly Effect[],
  now: number,
): string[] => {
  const kinds = effects.map(({ kind }) => kind)
  const told = effects.find((effect) => effect.kind === 'transitioned')
  if (!told) return after.transitions === before.transitions ? [] : ['WRONG untold transition']
  const { from, to, reason, instanceId } = told
  const expected = { at: now, from: before.state.kind, to: after.state.kind, reason: after.reason }
  const isRight =
    JSON.stringify(after.transitions.at(-1)) === JSON.stringify(expected) &&
    JSON.stringify({ at: after.since, from, to, reason }) === JSON.stringify(expected) &&
    instanceId === (instanceOf(after.state) ?? instanceOf(before.state)) &&
    kinds.indexOf('cancel_timers') < kinds.indexOf('transitioned') &&
    kinds.indexOf('transitioned') < firstOf(kinds, 'arm_timer')
  return isRight && kinds.includes('cancel_timers') ? [] : ['WRONG transition']
}

const firstOf = (kinds: readonly string[], kind: string): number =>
  kinds.includes(kind) ? kinds.indexOf(kind) : kinds.length

const wrap = (line: string, indent: string): string => {
  const lines = ['']
  for (const word of line.split(' ')) {
    const last = lines[lines.length - 1] ?? ''
    if (last !== '' && indent.length + last.length + 1 + word.length > COLUMNS) lines.push(word)
    else lines[lines.length - 1] = last === '' ? word : `${last} ${word}`
  }
  return lines.map((text, index) => `${index === 0 ? indent : '    '}${text}`).join('\n')
}
