/**
 * True when the path fits the pattern: `*` any characters but `/`, `**` any, `?` one. A pattern
 * without `/` is held against the last part of the path too. Case does not matter. In time
 * proportional to both lengths at worst, whatever the pattern.
 */
export const matchesPattern = (pattern: string, path: string): boolean => {
  const [small, text] = [pattern.toLowerCase(), path.toLowerCase()]
  if (fits(small, text)) return true
  return !small.includes('/') && fits(small, text.slice(text.lastIndexOf('/') + 1))
}

/** Positions of the pattern that are reached, moved on by each character: no backtracking. */
const fits = (pattern: string, text: string): boolean => {
  const tokens = pattern.match(/\*\*|[\s\S]/g) ?? []
  const skipStars = (positions: Set<number>) => {
    for (const at of positions) if (isStar(tokens[at])) positions.add(at + 1)
    return positions
  }
  let positions = skipStars(new Set([0]))
  for (const char of text) {
    const next = new Set<number>()
    for (const at of positions) {
      const token = tokens[at]
      if (token === '**' || (token === '*' && char !== '/')) next.add(at)
      else if (token === char || (token === '?' && char !== '/')) next.add(at + 1)
    }
    positions = skipStars(next)
    if (positions.size === 0) return false
  }
  return positions.has(tokens.length)
}

const isStar = (token: string | undefined) => token === '*' || token === '**'
