import type { HubRef } from '../ref/model-ref.ts'
import { HUB_DIR } from '../disk/store-paths.ts'
import type { FetchPlan, PlannedFile } from './fetch-plan.ts'
import { createHubApi, refuseHub, type HubFile } from './hub-api.ts'
import { pickFiles } from './pick-files.ts'
import type { SourceDeps, Wanted } from './source.ts'

/** Folder of a repository in the layout of the Hub's cache, below the root of the store. */
export const repositoryDir = (repository: string): string =>
  `${HUB_DIR}/models--${repository.replaceAll('/', '--')}`

/**
 * What has to be fetched of a repository. Files go where the Hub's own tools put them
 * (huggingface.co/docs/hub/local-cache): content in `blobs`, names as links in `snapshots/COMMIT`,
 * what a branch means in `refs`.
 */
export const planHub = async (
  deps: SourceDeps,
  ref: HubRef,
  wanted: Wanted,
  signal: AbortSignal,
): Promise<FetchPlan> => {
  const { repository, revision, selector } = ref
  const api = createHubApi(deps)
  const commit = await api.commitOf(repository, revision, signal)
  const picked = pickFiles(await api.filesOf(repository, commit, signal), selector, wanted)
  const dir = repositoryDir(repository)
  const snapshot = `${dir}/snapshots/${commit}`
  const toPlanned = ({ path, sizeBytes, contentId }: HubFile): PlannedFile => ({
    ...{ name: path, path: `${dir}/blobs/${contentId}`, link: `${snapshot}/${path}`, sizeBytes },
    check: { kind: contentId.length === 64 ? 'sha256' : 'git', hex: contentId },
    open: (headers, abort) => api.open({ repository, commit, path }, headers, abort),
    refuse: (answer) => refuseHub(answer, { repository, revision }),
  })
  return {
    kind: picked.kind,
    path: picked.kind === 'file' ? `${snapshot}/${picked.first.path}` : snapshot,
    files: picked.files.map(toPlanned),
    revision: commit,
    notes: commit === revision ? [] : [{ path: `${dir}/refs/${revision}`, text: commit }],
  }
}
