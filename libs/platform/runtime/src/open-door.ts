import { BerthError } from '@berth/kernel'

const LOOPBACK = /^(127(\.\d{1,3}){3}|::1|\[::1\]|localhost)$/

/** True for an address that only this machine can reach. */
export const isLoopback = (host: string): boolean => LOOPBACK.test(host)

/**
 * Throws `CONFIG_INVALID` for a service that other machines could use without saying who they
 * are. `setting` is the name, in a config file, of what decides where it listens.
 */
export const refuseOpenDoor = (door: {
  readonly setting: string
  readonly host: string
  readonly insecure: boolean
}): void => {
  if (door.insecure || isLoopback(door.host)) return
  throw new BerthError(
    'CONFIG_INVALID',
    `${door.setting} ${door.host} can be reached from other machines and requests are not ` +
      'authenticated. Bind to 127.0.0.1, or start with --insecure (BERTH_INSECURE=true) if ' +
      'everyone who can reach it may use it.',
  )
}
