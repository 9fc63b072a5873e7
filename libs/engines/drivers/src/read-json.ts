/** A body as a JSON object, or undefined. Never throws: bodies come from other programs. */
export const readObject = (body: string): Readonly<Record<string, unknown>> | undefined => {
  try {
    const value: unknown = JSON.parse(body)
    return isObject(value) ? value : undefined
  } catch {
    // Whatever is not JSON is not the answer asked for; the caller says so.
    return undefined
  }
}

export const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
