import { readFileSync } from 'node:fs'
import { BerthError, messageOf } from '@berth/kernel'
import type { RegistryCredentials } from '@berth/model-store'
import { z } from 'zod'

const entry = z.object({
  /** `user:password` in base64. */
  auth: z.string().optional(),
  username: z.string().optional(),
  password: z.string().optional(),
})
const fileSchema = z.object({ auths: z.record(z.string(), entry).default({}) })

/** Who asks a registry, by its host; undefined where nobody is named. */
export type RegistryAuth = (host: string) => RegistryCredentials | undefined

/**
 * The credentials in a file that `docker login` wrote. It is read again at each use: a password may
 * be changed while the agent runs. Throws `CONFIG_INVALID` when it cannot be read now.
 */
export const openRegistryAuth = (path: string | undefined): RegistryAuth => {
  if (path === undefined) return () => undefined
  readAuths(path)
  return (host) => credentialsIn(readAuths(path), host)
}

type Auths = z.infer<typeof fileSchema>['auths']

const readAuths = (path: string): Auths => {
  try {
    return fileSchema.parse(JSON.parse(readFileSync(path, 'utf8'))).auths
  } catch (error) {
    // What is in the file stays out of the message.
    const fact =
      error instanceof z.ZodError ? 'it has no `auths` as docker writes them' : messageOf(error)
    throw new BerthError(
      'CONFIG_INVALID',
      `registry_auth_file: ${path} cannot be read: ${fact.split(',')[0]}. Write it with docker login, or leave it out.`,
    )
  }
}

const credentialsIn = (auths: Auths, host: string): RegistryCredentials | undefined => {
  const found = Object.entries(auths).find(([name]) => hostOf(name) === host)?.[1]
  if (!found) return undefined
  const { username, password } = found.auth === undefined ? found : decode(found.auth)
  return username && password ? { username, password } : undefined
}

/** Docker names some registries by an address. */
const hostOf = (name: string): string => name.replace(/^https?:\/\//, '').replace(/\/.*$/, '')

const decode = (auth: string) => {
  const [username = '', ...rest] = Buffer.from(auth, 'base64').toString('utf8').split(':')
  return { username, password: rest.join(':') }
}
