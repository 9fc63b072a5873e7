import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { HeaderFault } from './header-fault.ts'
import type { ModelHeader } from './model-header.ts'
import { readGguf } from './read-gguf.ts'
import { readSafetensors, readSafetensorsFile } from './read-safetensors.ts'
import { codeOf, readRange, regularSize } from './regular-file.ts'

/**
 * Reads the header of a model: a GGUF file whatever its name (Ollama's have none), a file of
 * safetensors, or a folder of either. Throws a `HeaderFault` that names the file and the fact.
 */
export const readModel = async (path: string): Promise<ModelHeader> => {
  const found = await stat(path).catch((error: unknown) => {
    throw new HeaderFault(path, `it cannot be read (${codeOf(error)})`)
  })
  if (found.isDirectory()) return readFolder(path)
  const size = await regularSize(path)
  const magic = (await readRange(path, 0, Math.min(4, size))).toString('latin1')
  if (magic === 'GGUF') return readGguf(path)
  if (path.endsWith('.safetensors')) return readSafetensorsFile(path)
  throw new HeaderFault(path, 'it is neither GGUF nor safetensors')
}

const readFolder = async (dir: string): Promise<ModelHeader> => {
  const names = (await readdir(dir)).sort()
  if (names.includes('config.json')) return readSafetensors(dir)
  // Beside the model there may be the part that sees (`mmproj`), which is none.
  const [first] = names.filter((name) => name.endsWith('.gguf') && !name.startsWith('mmproj'))
  if (first !== undefined) return readGguf(join(dir, first))
  throw new HeaderFault(dir, 'the folder has no config.json and no GGUF file')
}
