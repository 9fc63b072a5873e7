import { statSync } from 'node:fs'
import { rename, stat, symlink } from 'node:fs/promises'
import { randomBytes } from 'node:crypto'
import { dirname, relative } from 'node:path'
import { BerthError } from '@berth/kernel'
import type { FetchProgress } from '../model-store.ts'
import type { ManifestFile, ModelManifest } from '../disk/manifest.ts'
import { makeFolder } from '../disk/make-folder.ts'
import { manifestKey } from '../disk/manifest-folder.ts'
import { writeFileAtomic } from '../disk/write-file-atomic.ts'
import type { FetchPlan, PlannedFile } from '../source/fetch-plan.ts'
import { planFetch } from '../source/plan-fetch.ts'
import type { Asked, StoreParts } from '../store-parts.ts'
import { claimFile } from './file-claim.ts'
import { downloadFile, type DownloadedFile } from './download-file.ts'
import { hashFile } from './hash-file.ts'
import { partPathOf } from './part-file.ts'
import { createProgressMeter, type ProgressMeter } from './progress-meter.ts'

/** Where a fetch tells how far it is, and how it is ended. */
interface Flight {
  readonly signal: AbortSignal
  emit(progress: FetchProgress): void
}

/** Fetches all files of a model and notes that it is here. */
export const fetchModel = async (
  parts: StoreParts,
  asked: Asked,
  { signal, emit }: Flight,
): Promise<ModelManifest> => {
  emit({ bytesDone: 0, step: `asking for the files of ${asked.parsed.canonical}` })
  const plan = await planFetch(parts, asked, signal)
  const before = await parts.manifests.read(asked.key)
  const hasOld = before?.isComplete === true && (await parts.manifests.isWhole(before))
  if (hasOld && before.revision !== undefined && before.revision === plan.revision) return before
  // What is here stays until the new one is whole.
  const workKey = hasOld ? `${asked.key}-next` : asked.key
  const unfinished = toManifest(parts, asked, plan, plan.files.map(toManifestFile))
  await parts.manifests.write(workKey, unfinished)
  await checkRoom(parts, plan)
  const files = await fetchFiles(parts, { asked, plan, signal, emit })
  for (const { path, link } of plan.files) if (link !== undefined) await linkTo(parts, path, link)
  for (const { path, text } of plan.notes ?? []) await writeFileAtomic(parts.paths.at(path), text)
  const manifest = {
    ...unfinished,
    ...{ files, isComplete: true, fetchedAtMs: parts.clock.wall() },
    isPinned: before?.isPinned ?? false,
  }
  if (!(await parts.manifests.isWhole(manifest))) throw removedMeanwhile(asked)
  if (hasOld) await keepOld(parts, asked, before)
  await parts.manifests.write(asked.key, manifest)
  if (hasOld) await parts.manifests.remove(workKey)
  return manifest
}

const removedMeanwhile = ({ parsed }: Asked) =>
  new BerthError(
    'MODEL_LOAD_FAILED',
    `Files of ${parsed.canonical} were removed while others were fetched. Try again.`,
  )

const toManifest = (
  { clock }: StoreParts,
  { ref, parsed, options }: Asked,
  { kind, path, revision }: FetchPlan,
  files: ManifestFile[],
): ModelManifest => ({
  ...{ version: 1, ref, canonical: parsed.canonical, want: options.want, kind, path, files },
  ...(revision === undefined ? {} : { revision }),
  ...{ isComplete: false, isPinned: false, lastUsedAtMs: clock.wall() },
})

const toManifestFile = ({ name, path, link, sizeBytes }: PlannedFile): ManifestFile => ({
  ...{ name, path },
  ...(link === undefined ? {} : { link }),
  ...(sizeBytes === undefined ? {} : { sizeBytes }),
})

/** What a branch meant before is still there, and its engines may run: it gets its own name. */
const keepOld = async (parts: StoreParts, { parsed, options }: Asked, old: ModelManifest) => {
  if (parsed.scheme !== 'hf' || old.revision === undefined) return
  const end = parsed.selector === undefined ? '' : `:${parsed.selector}`
  const canonical = `hf:${parsed.repository}@${old.revision}${end}`
  await parts.manifests.write(manifestKey(canonical, options), {
    ...old,
    ref: canonical,
    canonical,
  })
}

/** All at once before the first byte: a disk that is too small is not filled to find out. */
const checkRoom = async (parts: StoreParts, { files }: FetchPlan): Promise<void> => {
  let bytes = 0
  for (const [path, [file]] of Map.groupBy(files, (each) => each.path)) {
    const target = parts.paths.at(path)
    const there = (await sizeOf(target)) ?? (await sizeOf(partPathOf(target))) ?? 0
    bytes += Math.max(0, (file!.sizeBytes ?? 0) - there)
  }
  const hold = await parts.room.hold(bytes)
  hold.release()
}

interface Fetching extends Flight {
  readonly asked: Asked
  readonly plan: FetchPlan
}

const fetchFiles = async (
  parts: StoreParts,
  { asked, plan, signal, emit }: Fetching,
): Promise<ManifestFile[]> => {
  const byPath = Map.groupBy(plan.files, ({ path }) => path)
  const sizes = [...byPath.values()].map(([file]) => file!.sizeBytes)
  const total = sizes.reduce((sum, size) => (sum ?? 0) + (size ?? Number.NaN), 0)
  const meter = createProgressMeter(parts.clock, () => (total! >= 0 ? total : undefined), emit)
  const known = await knownFiles(parts)
  const failure = new AbortController()
  const either = AbortSignal.any([signal, failure.signal])
  const ends = await Promise.allSettled(
    [...byPath].map(async ([path, [file]]) => {
      try {
        const work = { file: file!, asked, meter, signal: either }
        return [path, await fetchOne(parts, work, known.get(path))] as const
      } catch (error) {
        failure.abort(error)
        throw error
      }
    }),
  )
  meter.stop()
  signal.throwIfAborted()
  if (failure.signal.aborted) throw failure.signal.reason as Error
  meter.flush('ready')
  const done = new Map(ends.flatMap((end) => (end.status === 'fulfilled' ? [end.value] : [])))
  return plan.files.map((file) => ({ ...toManifestFile(file), ...done.get(file.path)! }))
}

/** Digests of files that this store verified when it fetched them. */
const knownFiles = async ({ manifests }: StoreParts): Promise<Map<string, string>> => {
  const all = await manifests.all()
  return new Map(
    all.flatMap(([, { files }]) =>
      files.flatMap(({ path, sha256 }) => (sha256 === undefined ? [] : [[path, sha256]])),
    ),
  )
}

interface FileWork {
  readonly file: PlannedFile
  readonly asked: Asked
  readonly meter: ProgressMeter
  readonly signal: AbortSignal
}

const fetchOne = async (
  parts: StoreParts,
  { file, asked, meter, signal }: FileWork,
  knownSha256: string | undefined,
): Promise<DownloadedFile> => {
  const target = parts.paths.at(file.path)
  const endTurn = await parts.turns.take(signal)
  try {
    const wait = () => {
      const bytes = statSync(partPathOf(target), { throwIfNoEntry: false })?.size ?? 0
      meter.set(file.path, bytes, `waiting for another process to fetch ${file.name}`)
    }
    const claim = parts.paths.claimOf(file.path)
    const endClaim = await claimFile(claim, { clock: parts.clock, signal, onWait: wait })
    try {
      const isFresh = asked.options.isRefresh === true && !file.check
      const there = isFresh ? undefined : await whatIsThere(target, { file, knownSha256, signal })
      const onBytes = (bytes: number) => meter.set(file.path, bytes, `downloading ${file.name}`)
      const done = there ?? (await downloadFile(parts, { file, target, signal, onBytes }))
      meter.set(file.path, done.sizeBytes, `downloaded ${file.name}`)
      return done
    } finally {
      endClaim()
    }
  } finally {
    endTurn()
  }
}

/** A file with the right size that this store knows, or that has the right content. */
const whatIsThere = async (
  target: string,
  how: {
    readonly file: PlannedFile
    readonly knownSha256: string | undefined
    readonly signal: AbortSignal
  },
): Promise<DownloadedFile | undefined> => {
  const { file, knownSha256, signal } = how
  const sizeBytes = await sizeOf(target)
  if (sizeBytes === undefined || sizeBytes !== (file.sizeBytes ?? sizeBytes)) return undefined
  const isKnown = knownSha256 !== undefined
  if (isKnown && (file.check?.kind !== 'sha256' || file.check.hex === knownSha256))
    return { sizeBytes, sha256: knownSha256 }
  const found = await hashFile(target, sizeBytes, signal)
  const isRight = !file.check || found[file.check.kind] === file.check.hex
  return isRight ? { sizeBytes, sha256: found.sha256 } : undefined
}

const linkTo = async ({ paths }: StoreParts, path: string, link: string): Promise<void> => {
  const from = paths.at(link)
  await makeFolder(dirname(from))
  const next = `${from}.${randomBytes(6).toString('hex')}.new`
  await symlink(relative(dirname(from), paths.at(path)), next)
  await rename(next, from)
}

const sizeOf = async (path: string): Promise<number | undefined> => {
  const found = await stat(path).catch(() => undefined)
  return found?.isFile() ? found.size : undefined
}
