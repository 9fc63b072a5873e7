const SECRET_FIELD =
  /"([\w-]*(?:authorization|cookie|api[_-]?key|token|secret|password|master[_-]?key|credentials?|berth-lease))":(?:"(?:[^"\\]|\\.)*"|\[[^\]]*\])/gi
const BEARER = /\b(Bearer|Basic)\s+[\w.~+/=-]+/gi
const USER_INFO = /:\/\/[^\s/@"]+@/g

/**
 * A log line without its secrets: values of fields whose name ends as a secret's does, at any
 * depth, bearer and basic credentials inside texts, and the user part of URLs. It works on the
 * finished line, so no way of logging (bindings, child loggers, errors) goes around it.
 */
export const redact = (line: string): string =>
  line
    .replace(SECRET_FIELD, '"$1":"[redacted]"')
    .replace(BEARER, '$1 [redacted]')
    .replace(USER_INFO, '://[redacted]@')
