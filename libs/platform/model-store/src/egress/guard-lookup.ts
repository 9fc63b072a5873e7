import { lookup as systemLookup, type LookupAddress } from 'node:dns'
import { BlockList, isIP, type LookupFunction } from 'node:net'
import { BerthError } from '@berth/kernel'

/** Asks for every address of a host. The system's own unless a test brings another. */
export type Resolve = (host: string) => Promise<readonly LookupAddress[]>

/** Addresses that are no host of the internet. Source: IANA special-purpose registries. */
const PRIVATE = new BlockList()
for (const range of `0.0.0.0/8 10.0.0.0/8 100.64.0.0/10 127.0.0.0/8 169.254.0.0/16 172.16.0.0/12
  192.0.0.0/24 192.0.2.0/24 192.88.99.0/24 192.168.0.0/16 198.18.0.0/15 198.51.100.0/24
  203.0.113.0/24 224.0.0.0/3`.split(/\s+/)) {
  const [net = '', bits] = range.split('/')
  PRIVATE.addSubnet(net, Number(bits), 'ipv4')
}
/** Of IPv6 only 2000::/3 is global; in it Teredo, documentation and 6to4 hide others. */
const GLOBAL_V6 = new BlockList()
GLOBAL_V6.addSubnet('2000::', 3, 'ipv6')
const HIDING_V6 = new BlockList()
for (const [net, bits] of [
  ['2001::', 23],
  ['2001:db8::', 32],
  ['2002::', 16],
  ['3fff::', 20],
] as const)
  HIDING_V6.addSubnet(net, bits, 'ipv6')

/** True for an address that the internet routes. */
export const isPublicAddress = (address: string): boolean => {
  if (isIP(address) === 4) return !PRIVATE.check(address, 'ipv4')
  if (isIP(address) !== 6) return false
  const plain = address.replace(/%.*$/, '')
  // ::ffff:0:0/96 carries an IPv4 address, which BlockList reads.
  if (/^(?:0*:)*:?ffff:/i.test(plain) && MAPPED.check(plain, 'ipv6'))
    return !PRIVATE.check(plain, 'ipv6')
  return GLOBAL_V6.check(plain, 'ipv6') && !HIDING_V6.check(plain, 'ipv6')
}

const MAPPED = new BlockList()
MAPPED.addSubnet('::ffff:0:0', 96, 'ipv6')

/** Refuses a host that is written as a private address. */
export const checkLiteral = (host: string): BerthError | undefined => {
  const address = host.replace(/^\[|\]$/g, '')
  return isIP(address) === 0 || isPublicAddress(address) ? undefined : privateAddress(host, address)
}

/**
 * A `lookup` for sockets that answers public addresses only. The socket connects to what was
 * checked here, so a name that changes its address in between (DNS rebinding) gains nothing.
 */
export const guardLookup = (resolve: Resolve, isPrivateAllowed: boolean): LookupFunction => {
  return (host, options, callback) => {
    const answer = (addresses: readonly LookupAddress[]) => {
      const bad = addresses.find(({ address }) => !isPrivateAllowed && !isPublicAddress(address))
      if (bad) return callback(privateAddress(host, bad.address), [])
      const wanted = Number(options.family) === 4 || Number(options.family) === 6
      const fitting = addresses.filter(({ family }) => !wanted || family === options.family)
      const [first] = fitting
      if (!first) return callback(new Error(`${host} has no address`), [])
      if (options.all) return callback(null, [...fitting])
      callback(null, first.address, first.family)
    }
    resolve(host).then(answer, (error: unknown) => callback(error as NodeJS.ErrnoException, []))
  }
}

/** The system's resolver. */
export const resolveWithSystem: Resolve = (host) =>
  new Promise((resolve, reject) =>
    systemLookup(host, { all: true }, (error, addresses) =>
      error ? reject(error) : resolve(addresses),
    ),
  )

const privateAddress = (host: string, address: string) =>
  new BerthError(
    'FORBIDDEN',
    `${host} has the private address ${address}, which models may not come from. Add it to egressPrivate in the settings of the agent if it is a mirror of yours.`,
  )
