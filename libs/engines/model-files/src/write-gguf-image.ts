import { open } from 'node:fs/promises'
import type { GgufImage } from './gguf-image.ts'

/**
 * Writes the image to `path`, over whatever stood there. Where the image has no bytes the file has
 * a hole, which reads as zeros and takes no disk where the file system knows holes.
 * Rejects with the error of the file system.
 */
export const writeGgufImage = async (path: string, image: GgufImage): Promise<void> => {
  await using file = await open(path, 'w')
  await file.truncate(image.sizeBytes)
  for (const { offset, bytes } of image.pieces) await file.write(bytes, 0, bytes.length, offset)
}
