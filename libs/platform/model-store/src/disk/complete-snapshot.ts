const SHARD = /^(.*)-(\d{5})-of-(\d{5})\.(safetensors|bin)$/
const TOKENIZER = /token|vocab|spiece|tekken|\.model$|merges/i
const MAX_SHARDS = 4096

/**
 * What a snapshot lacks to be loaded without network, as far as its own files tell: every part of
 * the weights that an index or a name counts, `config.json` (Mistral: `params.json`), a tokenizer.
 */
export const missingFromSnapshot = async (
  paths: readonly string[],
  read: (path: string) => Promise<string>,
): Promise<readonly string[]> => {
  const here = new Set(paths)
  const missing = new Set<string>()
  for (const path of paths) {
    for (const shard of shardsOf(path)) if (!here.has(shard)) missing.add(shard)
    if (!path.endsWith('.index.json')) continue
    // An index of another format than the weights that are here counts nothing.
    const wanted = indexed(await read(path))
    if (wanted.some((file) => here.has(file)) || path.startsWith('model.safetensors'))
      for (const file of wanted) if (!here.has(file)) missing.add(file)
  }
  if (!here.has('config.json') && !here.has('params.json')) missing.add('config.json')
  if (!paths.some((path) => TOKENIZER.test(path))) missing.add('a tokenizer')
  return [...missing].sort()
}

const shardsOf = (path: string): readonly string[] => {
  const [, stem = '', , count = '0', ending = ''] = SHARD.exec(path) ?? []
  return Array.from(
    { length: Math.min(Number(count), MAX_SHARDS) },
    (_, index) => `${stem}-${String(index + 1).padStart(5, '0')}-of-${count}.${ending}`,
  )
}

const indexed = (text: string): readonly string[] => {
  try {
    const { weight_map: map } = JSON.parse(text) as { weight_map?: Record<string, unknown> }
    return [...new Set(Object.values(map ?? {}).filter((file) => typeof file === 'string'))]
  } catch {
    // Half an index is none; the names of the parts still count them.
    return []
  }
}
