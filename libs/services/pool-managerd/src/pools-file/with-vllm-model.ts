/** A model that a flag or a variable names for the one vllm pool of a host. */
export interface VllmModel {
  readonly model: string
  /** Said to the agent itself: then there has to be such a pool. */
  readonly isDemanded: boolean
}

/**
 * The entries of a pools file with the model of the one vllm pool that Berth manages replaced.
 * Where there are several, or none, it is not known which is meant: a variable of the environment
 * is for somebody else then, and a flag is a problem.
 */
export const withVllmModel = (
  entries: readonly unknown[],
  wanted: VllmModel | undefined,
): { readonly entries: readonly unknown[]; readonly problem?: string } => {
  if (!wanted) return { entries }
  const ours = entries.filter(isManagedVllm)
  if (ours.length === 1)
    return {
      entries: entries.map((entry) =>
        isManagedVllm(entry) ? { ...(entry as object), model: wanted.model } : entry,
      ),
    }
  return wanted.isDemanded
    ? {
        entries,
        problem:
          `model (of the settings): it is for the one vllm pool of a host, and the file has ` +
          `${ours.length}. Set model of the pool that is meant`,
      }
    : { entries }
}

const isManagedVllm = (entry: unknown): boolean => {
  const { engine, mode = 'managed' } = (entry ?? {}) as Readonly<Record<string, unknown>>
  return engine === 'vllm' && mode === 'managed'
}
