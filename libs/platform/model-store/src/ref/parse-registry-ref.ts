import type { OciRef, OllamaRef } from './model-ref.ts'
import { refuseRef } from './refuse-ref.ts'

const HOST = /^(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?\.)*[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?::\d{1,5})?$/i
const PART = /^[a-z0-9_][\w.-]{0,79}$/i
/** Source: OCI distribution specification 1.1, "Pulling manifests". */
const OCI_REPOSITORY = /^[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*(\/[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*)*$/
const OCI_TAG = /^\w[\w.-]{0,127}$/
const DIGEST = /^sha256:[0-9a-f]{64}$/

/** Where Ollama's own names come from. */
const OLLAMA_HOST = 'registry.ollama.ai'

/** Reads what follows `ollama:`. Names are those of `ollama pull`. */
export const parseOllamaRef = (ref: string, rest: string): OllamaRef => {
  const next = 'Write ollama:NAME, ollama:NAME:TAG or ollama:NAMESPACE/NAME:TAG.'
  const parts = rest.split('/')
  const [name = '', tag = 'latest', ...more] = (parts.pop() ?? '').split(':')
  if (parts.length > 2 || more.length > 0) throw refuseRef(ref, 'has too many parts', next)
  const namespace = parts.pop() ?? 'library'
  const host = parts.pop() ?? OLLAMA_HOST
  if (!HOST.test(host)) throw refuseRef(ref, 'has a host that is none', next)
  for (const part of [namespace, name, tag])
    if (!PART.test(part) || part.includes('..'))
      throw refuseRef(ref, 'has a part that is not of letters, digits, "-", "_" and "."', next)
  const repository = `${namespace}/${name}`
  const canonical = `ollama:${host}/${repository}:${tag}`
  return { scheme: 'ollama', host, repository, tag, canonical }
}

/** Reads what follows `oci:`. */
export const parseOciRef = (ref: string, rest: string): OciRef => {
  const next = 'Write oci:HOST/REPOSITORY:TAG or oci:HOST/REPOSITORY@sha256:DIGEST.'
  const slash = rest.indexOf('/')
  const host = rest.slice(0, Math.max(0, slash))
  if (!HOST.test(host)) throw refuseRef(ref, 'names no registry host', next)
  const [, repository = '', tag, digest] =
    /^([^:@]*)(?::([^@]*))?(?:@(.*))?$/s.exec(rest.slice(slash + 1)) ?? []
  if (repository.length > 255 || !OCI_REPOSITORY.test(repository))
    throw refuseRef(ref, 'has a repository that is not of a-z, 0-9, ".", "_", "-" and "/"', next)
  if (tag !== undefined && !OCI_TAG.test(tag)) throw refuseRef(ref, 'has a tag that is none', next)
  if (digest !== undefined && !DIGEST.test(digest))
    throw refuseRef(ref, 'has a digest that is not sha256: and 64 hex digits', next)
  const reference = digest ?? tag ?? 'latest'
  const canonical = `oci:${host}/${repository}${digest ? '@' : ':'}${reference}`
  return { scheme: 'oci', host, repository, reference, canonical }
}
