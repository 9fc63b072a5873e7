import type { MessageInitShape } from '@bufbuild/protobuf'
import type { ModelDiskSchema } from '@berth/contract'
import type { ModelStore, StoredModel } from '@berth/model-store'

/** The file system of the store, for people and for `HostSnapshot.model_disk`. */
export const diskMessage = async (
  store: ModelStore,
  models: readonly StoredModel[],
): Promise<MessageInitShape<typeof ModelDiskSchema>> => {
  const { totalBytes, freeBytes } = await store.disk()
  return {
    root: store.root,
    totalBytes: BigInt(totalBytes),
    freeBytes: BigInt(freeBytes),
    modelsBytes: BigInt(models.reduce((sum, { bytesDone }) => sum + bytesDone, 0)),
    models: models.length,
  }
}
