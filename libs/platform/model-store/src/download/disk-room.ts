import { statfs } from 'node:fs/promises'
import { BerthError } from '@berth/kernel'

/** Sizes of the file system a folder is on. */
export interface DiskSizes {
  readonly totalBytes: number
  readonly freeBytes: number
}

/** Room that was set aside for one download. */
export interface RoomHold {
  /** Bytes that are on the disk now and need no room any more. */
  use(bytes: number): void
  release(): void
}

/** Room on the disk of the store, shared by its downloads. */
export interface DiskRoom {
  sizes(): Promise<DiskSizes>
  /** Rejects with `INSUFFICIENT_DISK` unless so much is free beside what others hold. */
  hold(bytes: number): Promise<RoomHold>
  /** Rejects with `INSUFFICIENT_DISK` when less than the headroom is left. */
  check(): Promise<void>
}

/** What `createDiskRoom` works with. */
export interface DiskRoomOptions {
  readonly root: string
  readonly headroomBytes: number
  /** Asked to free so many bytes when there are too few; true when it freed some. */
  onShort(needBytes: number): Promise<boolean>
}

/** Free space as a thing that can run out: held before a download, watched during it. */
export const createDiskRoom = ({ root, headroomBytes, onShort }: DiskRoomOptions): DiskRoom => {
  let heldBytes = 0
  const sizes = () => readDiskSizes(root)
  return {
    sizes,
    hold: async (bytes) => {
      let { freeBytes } = await sizes()
      // Asked anew after each wait: others take room meanwhile.
      const required = () => bytes + headroomBytes + heldBytes
      if (bytes > 0 && freeBytes < required() && (await onShort(required() - freeBytes)))
        ({ freeBytes } = await sizes())
      if (bytes > 0 && freeBytes < required()) throw diskFull(required(), freeBytes)
      let left = bytes
      heldBytes += left
      const give = (given: number) => {
        heldBytes -= given
        left -= given
      }
      return { use: (used) => give(Math.min(left, used)), release: () => give(left) }
    },
    check: async () => {
      const { freeBytes } = await sizes()
      if (freeBytes < headroomBytes) throw diskFull(headroomBytes, freeBytes)
    },
  }
}

/** Sizes of the disk that `folder` is on, as a user without privileges sees them. */
export const readDiskSizes = async (folder: string): Promise<DiskSizes> => {
  const { bsize, blocks, bavail } = await statfs(folder)
  return { totalBytes: bsize * blocks, freeBytes: bsize * bavail }
}

/** The refusal of a disk with too little room. */
export const diskFull = (requiredBytes: number, freeBytes: number, cause?: unknown): BerthError =>
  new BerthError(
    'INSUFFICIENT_DISK',
    `The disk of the model store has ${freeBytes} bytes free and ${requiredBytes} are required. Remove models that are not needed, or give the store a larger disk.`,
    { facts: { required_bytes: requiredBytes, free_bytes: freeBytes }, cause },
  )
