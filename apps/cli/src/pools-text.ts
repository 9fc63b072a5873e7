import { maybeBytes } from './byte-text.ts'
import { loadingText } from './loading-text.ts'
import type {
  CheckDetail,
  DeviceDetail,
  OperationDetail,
  PoolDetail,
  Transition,
} from './pools-client.ts'
import { formatTable } from './table.ts'

/** Every pool as a line of a table. */
export const poolsText = (pools: readonly PoolDetail[]): string[] =>
  pools.length === 0
    ? ['There are no pools.']
    : formatTable(
        ['POOL', 'HOST', 'ENGINE', 'MODEL', 'STATE', 'SLOTS FREE', 'RESTARTS'],
        pools.map((pool) => [
          ...[pool.id, pool.host_id, pool.engine, pool.model_id ?? '-', stateOf(pool)],
          ...[`${pool.slots_free}/${pool.slots_total}`, String(pool.restart_count)],
        ]),
      )

/** One pool, a fact to a line. */
export const poolText = (pool: PoolDetail): string[] => {
  const operation = pool.current_operation
  return facts([
    ['pool', pool.id],
    ['host', pool.host_id],
    ['engine', [pool.engine, pool.engine_version].filter((part) => part !== null).join(' ')],
    ['mode', pool.mode],
    ['model', pool.model_id],
    ['state', stateOf(pool)],
    ['because', pool.state_reason],
    ['takes jobs', pool.ineligible_reason === null ? 'yes' : `no: ${pool.ineligible_reason}`],
    ['last error', pool.last_error],
    ['loading', loadingText([pool])],
    ['last check', pool.last_check ? checkText(pool.last_check) : null],
    ['devices', pool.device_mask.join(', ')],
    ...(pool.devices ?? []).map(
      (device) => [`device ${device.device_id}`, deviceText(device)] as const,
    ),
    ['slots', `${pool.slots_free} of ${pool.slots_total} free, ${pool.active_leases} in flight`],
    ['tokens/s', pool.perf_tokens_per_s === null ? null : String(pool.perf_tokens_per_s)],
    ['process', pool.pid === null ? null : `${pool.pid}, since ${pool.up_since ?? '?'}`],
    ['restarts', String(pool.restart_count)],
    ['under way', operation && operationLine(operation)],
  ])
}

const checkText = ({ at, ok, ms, error }: CheckDetail): string =>
  `${ok ? 'passed' : 'failed'} at ${at} after ${ms} ms${error === null ? '' : `: ${error}`}`

/** How much of its memory is free and how much it works are two figures. */
const deviceText = (device: DeviceDetail): string =>
  [
    device.name,
    `${maybeBytes(device.vram_free_bytes)} of ${maybeBytes(device.vram_total_bytes)} free`,
    ...(device.utilization_percent === null ? [] : [`${device.utilization_percent} % busy`]),
    ...(device.temperature_c === null ? [] : [`${device.temperature_c} °C`]),
  ].join(', ')

/** The transitions of a pool and the changes that were asked for, the newest last. */
export const historyText = (
  transitions: readonly Transition[],
  operations: readonly OperationDetail[],
): string[] => [
  ...formatTable(
    ['AT', 'FROM', 'TO', 'WHY'],
    transitions.map(({ at, from, to, reason }) => [at, from, to, reason]),
  ),
  '',
  ...formatTable(
    ['ASKED', 'OPERATION', 'STATUS', 'TOOK', 'ID', 'WHY'],
    operations
      .toReversed()
      .map((operation) => [
        operation.initiated_at,
        operation.operation_type,
        operation.status,
        tookOf(operation),
        operation.operation_id,
        operation.error_details?.message ?? '',
      ]),
  ),
]

/** What an operation does now, or how it ended. */
export const operationLine = (operation: OperationDetail): string => {
  const { operation_type: type, status, backend_id: pool, model_ref: ref } = operation
  const what = `${type} of ${pool ?? ref ?? operation.model_id ?? operation.operation_id}`
  switch (status) {
    case 'completed':
      return `${what}: done in ${tookOf(operation)}`
    case 'failed':
    case 'cancelled':
      return `${what} ${status}: ${operation.error_details?.message ?? 'no reason was given'}`
    default:
      return `${what}: ${operation.step ?? status}, ${operation.progress_percent} %`
  }
}

const stateOf = ({ state, ready, degraded }: PoolDetail): string => {
  if (state !== 'ready') return state
  return ready ? (degraded ? 'ready, degraded' : 'ready') : 'ready, but its host stops'
}

const tookOf = ({ initiated_at: from, completed_at: to }: OperationDetail): string =>
  to === null ? '-' : `${((Date.parse(to) - Date.parse(from)) / 1_000).toFixed(1)} s`

const facts = (rows: readonly (readonly [string, string | null])[]): string[] => {
  const known = rows.filter((row): row is [string, string] => row[1] !== null && row[1] !== '')
  const width = Math.max(...known.map(([name]) => name.length))
  return known.map(([name, value]) => `${name.padEnd(width)}  ${value}`)
}
