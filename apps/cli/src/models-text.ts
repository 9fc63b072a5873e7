import { byteText, maybeBytes } from './byte-text.ts'
import type { Fit, HostFiles, ModelFile } from './models-client.ts'
import type { PoolDetail } from './pools-client.ts'
import { formatTable } from './table.ts'

/** Every model of every pool and where it is, a line for each. */
export const residencyText = (pools: readonly PoolDetail[]): string[] => {
  const rows = pools.flatMap((pool) =>
    (pool.models ?? []).map((model) => [
      ...[model.model_id, pool.id, pool.engine],
      pool.asleep ? `${model.residency}, asleep` : model.residency,
      ...[maybeBytes(model.memory_bytes), maybeBytes(model.gpu_bytes)],
      ...[String(model.active_requests), model.expires_at ?? '-'],
    ]),
  )
  if (rows.length === 0) return ['No pool has a model.']
  const heading = ['MODEL', 'POOL', 'ENGINE', 'RESIDENCY', 'MEMORY', 'ON GPU']
  return formatTable([...heading, 'REQUESTS', 'UNLOADED AT'], rows)
}

/** The files of each host, the largest first. */
export const filesText = (hosts: readonly HostFiles[]): string[] =>
  hosts.flatMap((host) => [
    '',
    filesHeading(host),
    ...(host.models.length === 0
      ? []
      : formatTable(
          ['REFERENCE', 'SIZE', 'WHAT', 'STATE', 'POOLS', 'LAST USED'],
          host.models.toSorted((a, b) => b.size_bytes - a.size_bytes).map(fileRow),
        )),
  ])

/** Hosts of which nothing is known now. */
export const silentText = (silentHosts: readonly string[]): string[] =>
  silentHosts.length === 0 ? [] : ['', `No answer from: ${silentHosts.join(', ')}`]

/**
 * What a model would take in each pool, term by term, and what to do. `ref`: as it was asked for;
 * `pools`: where what could make room is.
 */
export const fitText = (
  fits: readonly Fit[],
  ref: string,
  pools: readonly PoolDetail[] = [],
): string[] =>
  fits.length === 0
    ? ['No pool could be asked.']
    : fits.flatMap((fit) => oneFitText(fit, ref, pools)).slice(0, -1)

const filesHeading = ({ host_id: host, disk, models }: HostFiles): string => {
  if (disk === null) return `${host} keeps no model files.`
  const { root, models_bytes: taken, free_bytes: free, total_bytes: total } = disk
  const space = `${byteText(free)} of ${byteText(total)} free`
  return `${host}: ${models.length} in ${root}, ${byteText(taken)}; ${space}`
}

const fileRow = (file: ModelFile): string[] => [
  ...[file.model_ref, byteText(file.size_bytes), whatOf(file)],
  file.complete ? 'complete' : `${byteText(file.bytes_downloaded)} so far`,
  ...[file.pool_ids.join(', ') || '-', file.last_used_at ?? '-'],
]

const whatOf = ({ architecture, parameters, quantization }: ModelFile): string => {
  const size = parameters === null ? null : countText(parameters)
  return [architecture, size, quantization].filter((part) => part !== null).join(' ') || '-'
}

const countText = (parameters: number): string =>
  parameters >= 1e9
    ? `${(parameters / 1e9).toFixed(1)}B`
    : `${(parameters / 1e6).toFixed(parameters >= 1e7 ? 0 : 1)}M`

const oneFitText = (fit: Fit, ref: string, pools: readonly PoolDetail[]): string[] => [
  verdictOf(fit, ref),
  ...(fit.required_bytes === null
    ? []
    : ['', ...termRows(fit, fit.required_bytes), ...basisLine(fit)]),
  ...(fit.devices.length === 0 ? [] : ['', ...deviceRows(fit)]),
  ...adviceOf(fit, pools),
  '',
]

const verdictOf = (
  { model_id: model, pool_id: pool, host_id: host, fits, reason }: Fit,
  ref: string,
): string => {
  const what = `${model ?? ref} in pool ${pool} on ${host}`
  if (fits === null) return `${what}: nobody can tell. ${reason ?? ''}`.trimEnd()
  return fits ? `${what}: fits.` : `${what}: does not fit. ${reason ?? ''}`.trimEnd()
}

const termRows = ({ terms, host_bytes: hostBytes }: Fit, required: number) =>
  formatTable(
    ['TERM', 'BYTES', '', 'HOW'],
    [
      ...terms.map(({ name, bytes, formula }) => [name, String(bytes), byteText(bytes), formula]),
      ['required', String(required), byteText(required), 'on devices'],
      ...(hostBytes ? [['', String(hostBytes), byteText(hostBytes), 'in main memory']] : []),
    ],
  )

const basisLine = ({ basis, correction }: Fit): string[] => [
  ...(basis === null ? [] : [`from: ${basis}`]),
  ...(correction === null || correction === 1
    ? []
    : [`corrected by ${correction}, as earlier loads were measured`]),
]

const deviceRows = ({ devices }: Fit) =>
  formatTable(
    ['DEVICE', 'REQUIRED', 'AVAILABLE', 'OF', 'KEPT FREE'],
    devices.map((device) => [
      ...[device.device_id, byteText(device.required_bytes), maybeBytes(device.available_bytes)],
      ...[maybeBytes(device.total_bytes), byteText(device.headroom_bytes)],
    ]),
  )

/** What makes room is in other pools of the host. */
const adviceOf = (
  { fits, host_id: host, pool_id: own, evictable_model_ids: evictable }: Fit,
  pools: readonly PoolDetail[],
): string[] => {
  if (fits !== false) return []
  const lines = pools
    .filter((pool) => pool.host_id === host && pool.id !== own)
    .flatMap(({ id: pool, models = [] }) =>
      models
        .filter(({ model_id: id, residency }) => residency === 'resident' && evictable.includes(id))
        .map(({ model_id: id }) => `→ make room: ./berth models unload ${id} --pool ${pool}`),
    )
  return lines.length === 0 ? [] : ['', ...lines]
}
