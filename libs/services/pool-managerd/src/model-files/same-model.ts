import { parseModelRef } from '@berth/model-store'

/** One text for all references that mean the same; a name that is no reference is its own. */
export const canonicalRef = (ref: string): string => {
  try {
    return parseModelRef(ref).canonical
  } catch {
    // A plain path or name, which only its engine understands.
    return ref
  }
}
