/** Variables that hold secrets, by how their names end. */
const SECRET_NAME = /(?:TOKEN|KEY|SECRET|PASSWORD|PASSWD|CREDENTIALS?)$/i
/** A shorter value is no secret worth the name, and would blot out half a log. */
const SECRET_MIN_CHARS = 8

const HIDDEN = '[redacted]'

/** What is secret by its form, wherever it comes from. `$1` is kept. */
const FORMS: readonly RegExp[] = [
  // Hugging Face, OpenAI, GitHub.
  /()\bhf_[A-Za-z0-9]{16,}/g,
  /()\bsk-[\w-]{16,}/g,
  /()\bgh[pousr]_[A-Za-z0-9]{20,}/g,
  /\b((?:proxy-)?authorization["']?\s*[:=]\s*["']?)(?:(?:bearer|basic)\s+)?[^\s"',}]+/gi,
  /\b(bearer\s+)[\w.~+/=-]{8,}/gi,
  /((?:api[-_]?key|access[-_]?token|password)["']?\s*[:=]\s*["']?)[^\s"',&}]{4,}/gi,
  /(:\/\/)[^\s/@"]+@/g,
]

/**
 * Hides secrets in a line of an engine's log: the values of the variables it was given that hold
 * one, and what looks like a key, a token or an Authorization header.
 */
export const createMask = (
  childEnv: Readonly<Record<string, string | undefined>>,
): ((line: string) => string) => {
  const known = Object.entries(childEnv)
    .flatMap(([name, value = '']) =>
      SECRET_NAME.test(name) && value.length >= SECRET_MIN_CHARS ? [value] : [],
    )
    // A secret may hold another one.
    .sort((a, b) => b.length - a.length)
  return (line) => {
    const shown = known.reduce((text, secret) => text.replaceAll(secret, HIDDEN), line)
    return FORMS.reduce(
      (text, form) =>
        text.replace(form, (_match, kept: string) =>
          kept === '://' ? `${kept}${HIDDEN}@` : `${kept}${HIDDEN}`,
        ),
      shown,
    )
  }
}
