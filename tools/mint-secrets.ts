// Mints what the services of docker-compose.yml prove themselves with, once, and says what to try:
//   node tools/mint-secrets.ts --dir DIR [--uid N] [--own DIR] [--url http://127.0.0.1:8080]
// DIR gets a folder per reader, each a volume of its own: nats/users.conf, core/nats-password,
// agent/nats-password. Passwords that are there stay as they are. Everything is given to the user
// N, and so is the folder --own, an empty volume.
import { randomBytes } from 'node:crypto'
import { chownSync, existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { parseArgs } from 'node:util'

/** The NATS users, each in the hands of one kind of service. Gateways do not need NATS. */
const ROLES = ['core', 'agent'] as const

const text = { type: 'string' } as const
const { values } = parseArgs({ options: { dir: text, uid: text, own: text, url: text } })
const { dir, url = 'http://127.0.0.1:8080' } = values
if (dir === undefined) throw new Error('--dir DIR is missing')
const uid = Number(values.uid ?? process.getuid?.())

/** Written aside and moved, so that a start that was cut short leaves no half of a secret. */
const keepSecret = (path: string, content: string): void => {
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(`${path}.new`, content, { mode: 0o400 })
  chownSync(`${path}.new`, uid, uid)
  renameSync(`${path}.new`, path)
}

const passwordOf = (role: string): string => {
  const path = join(dir, role, 'nats-password')
  if (!existsSync(path)) keepSecret(path, `${randomBytes(24).toString('base64url')}\n`)
  return readFileSync(path, 'utf8').trim()
}

const users = ROLES.map((role) => `    { user: ${role}, password: "${passwordOf(role)}" }\n`)
const usersFile = join(dir, 'nats', 'users.conf')
const usersText = `authorization {\n  users: [\n${users.join('')}  ]\n}\n`
const isNew = !existsSync(usersFile) || readFileSync(usersFile, 'utf8') !== usersText
if (isNew) keepSecret(usersFile, usersText)
if (values.own !== undefined) chownSync(values.own, uid, uid)

process.stdout.write(`${isNew ? 'Minted the NATS passwords.' : 'The NATS passwords are there.'}
Once every service is healthy, try:

  curl ${url}/v1/chat/completions -H 'Content-Type: application/json' \\
    -d '{"model":"berth-tiny","messages":[{"role":"user","content":"Say hello."}]}'

`)
